import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { compiledBridge } from "../../support/binary.ts";
import { type Everything, startEverything } from "../../support/everything.ts";
import type { AuthorizationServer } from "../../support/oauth-provider.ts";
import { Home, offline } from "./codex.ts";
import { type ScriptedModel, scriptedModel, type Turn } from "./model.ts";

/** A home whose Codex has the everything server behind the bridge, as the server `kb`. */
export interface Trip extends AsyncDisposable {
  readonly home: Home;
  readonly model: ScriptedModel;
  readonly everything: Everything;
}

export interface TripOptions {
  readonly setup?: readonly string[];
  readonly codexConfig?: readonly string[];
  /** The server's URL, where not the everything server's own. */
  readonly url?: (everything: string) => string;
}

/** Goes the way of a user: setup, then codex-config --write. */
export async function trip(
  turns: readonly Turn[],
  { setup = ["--approval", "approve"], codexConfig = [], url = (own) => own }: TripOptions = {},
): Promise<Trip> {
  await using stack = new AsyncDisposableStack();
  const everything = stack.use(await startEverything("streamableHttp"));
  const model = stack.use(scriptedModel(turns));
  const home = stack.use(new Home(offline(model.url)));
  const isTold = setup.some((word) => /^--(token-\w+|oauth|header-env)$/.test(word));
  const credential = isTold ? [] : ["--no-auth"];
  const where = url(everything.url);
  await home.bridge("setup", "--server", "kb", "--url", where, ...credential, ...setup);
  await home.bridge("codex-config", "--write", ...codexConfig);
  const moved = stack.move();
  return { home, model, everything, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** Ends the home's sign-in at the authorization server: Codex goes on seeing the tools, and the next call needs a sign-in. */
export async function endSignIn({ path }: Home, provider: AuthorizationServer): Promise<void> {
  const file = join(path, ".codex-mcp-bridge/credentials/kb.json");
  await provider.end(JSON.parse(readFileSync(file, "utf8")).grant);
}

/** Runs `codex exec` in the home. */
export function exec(home: Home, ...words: readonly string[]) {
  return home.run("codex", "exec", "--skip-git-repo-check", "--json", ...words, "go on");
}

/** The bridges that run for a home. */
export function bridgesOf({ path }: Home): number[] {
  const bridge = realpathSync(compiledBridge());
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        if (readlinkSync(`/proc/${pid}/exe`) !== bridge) return false;
        return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`HOME=${path}`);
      } catch {
        return false;
      }
    });
}

/** Waits until something holds; fails with `what` after 20 s. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !holds(); await Bun.sleep(5)) {
    if (Date.now() > end) throw new Error(`never came to be: ${what}`);
  }
}
