import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { token } from "../fault/support/program.ts";
import { FaultServer } from "../fault/support/server.ts";
import { ownFolder } from "../support/folder.ts";
import { bridgeHome, signIn } from "../support/oauth-bridge.ts";
import { startProvider } from "../support/oauth-provider.ts";
import { startProtectedServer } from "../support/oauth-resource.ts";
import { runProgram } from "../support/program.ts";
import { passphrase } from "./commands.ts";

/** Codex's configuration at the beginning. */
export const codexBefore = '# mine\nmodel = "m"\n';
/** The variables that reach a child of `test`. */
const passed = ["BUN_OPTIONS", "TORTURE", "TORTURE_AT", "TORTURE_COUNT", "TORTURE_VICTIM"];

const machine = { client_id: "m", client_secret: token, grant_types: ["client_credentials"] };

/** The servers of the commands, and a home with a sign-in. */
export async function startWorld() {
  const server = new FaultServer({ sessions: true }).start();
  const provider = await startProvider({
    clients: [
      {
        ...machine,
        redirect_uris: [],
        response_types: [],
        scope: "mcp mcp:write",
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
  });
  const resource = startProtectedServer(provider);
  const folder = ownFolder();
  const auth = { type: "oauth", grant: "client_credentials", clientId: "m", clientSecret: token };
  const servers = {
    x: { url: server.url, token, timeoutSec: 2, env: passed },
    m: { url: resource.url, auth, timeoutSec: 5 },
    kb: { url: resource.url, timeoutSec: 5 },
    // Commands sign out repeatedly: revoking one grant must not revoke another.
    out: { url: resource.url },
  };
  const path = (name: string, ...more: string[]) => join(name, ".codex-mcp-bridge", ...more);
  const home = await bridgeHome(folder.path, servers.kb);
  // Written as the bridge writes it: an entry that a command puts back then gives the same text.
  writeFileSync(
    path(folder.path, "config.json"),
    `${JSON.stringify({ $schema: "./config.schema.json", version: 1, servers }, null, 2)}\n`,
  );
  await signIn(home);
  await signIn(home, "out");
  const kept = join(folder.path, "kept");
  cpSync(path(folder.path), kept, { recursive: true });
  const words = ["credentials", "export", "--server", "kb", "--passphrase-fd", "0"];
  const { stdout: encrypted } = await runProgram(words, {
    env: home.env,
    stdin: `${passphrase}\n`,
  });
  const secrets = [token, (await home.stored("out")).grant.refreshToken];
  return {
    encrypted,
    secrets,
    configBefore: readFileSync(join(kept, "config.json"), "utf8"),
    /** Creates the home of one command. */
    furnish(name: string, isSignedOut: boolean): void {
      cpSync(kept, path(name), { recursive: true });
      if (isSignedOut) rmSync(path(name, "credentials"), { recursive: true });
      mkdirSync(join(name, ".codex"));
      writeFileSync(join(name, ".codex/config.toml"), codexBefore);
    },
    /** The contents of the home. */
    left(name: string) {
      const read = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : undefined);
      return {
        config: read(path(name, "config.json")),
        grants: new Map(
          ["kb", "out"].map((one) => [one, read(path(name, `credentials/${one}.json`))]),
        ),
        // The entry names the user's home, which is another one for each command.
        codex: read(join(name, ".codex/config.toml"))?.replaceAll(name, "HOME"),
      };
    },
    async close(): Promise<void> {
      server.stop();
      await resource.close();
      await provider.close();
      folder[Symbol.dispose]();
    },
  };
}
