import type { Context } from "../../cli/command.ts";
import { type Config, loadConfig, pickServer } from "../../config/load.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { tokenProblem } from "../../config/validators.ts";
import { startChild } from "../../platform/exec.ts";
import { asBridgeError } from "../../wire/errors.ts";
import { saveChange } from "./edit.ts";
import { stepsFor } from "./next-steps.ts";
import type { AsksUser } from "./prompts.ts";

/** Offers sign-in, test and Codex entry after a save; resolves to the commands that the user still has to run. */
export async function offer(
  ask: AsksUser,
  name: string,
  entry: ServerEntry,
  context: Context,
): Promise<string[]> {
  const { login, test, codex } = stepsFor(name, entry, context);
  const remaining: string[] = [];
  let isReady = true;
  if (login !== undefined) {
    const isAsked = await ask.yes(`Sign in to "${name}" now?`);
    // A test before the sign-in could only fail.
    isReady = isAsked && (await succeeds(ask, context, () => signIn(name, context)));
    if (!isReady) remaining.push(login);
  }
  const isPinned = entry.tools?.pin !== undefined && entry.tools.pin !== false;
  if (
    isPinned &&
    isReady &&
    (await ask.yes(`Look at the tools of "${name}" and approve them now?`))
  )
    await succeeds(ask, context, () => pinTools(name, context));
  const isTested = isReady && (await ask.yes(`Test "${name}" now?`));
  let passes = isTested && (await succeeds(ask, context, () => testServer(name, context)));
  while (
    isTested &&
    !passes &&
    entry.token !== undefined &&
    (await replaceToken(ask, name, context))
  )
    passes = await succeeds(ask, context, () => testServer(name, context));
  if (!passes) remaining.push(test);
  // A server that failed its test would fail in Codex, too: the proposed answer is then no.
  const proposesYes = passes || !isTested;
  const isWanted = await ask.yes(`Write "${name}" into Codex's configuration now?`, proposesYes);
  if (!isWanted || !(await succeeds(ask, context, () => changeCodex("write", name, context)))) {
    remaining.push(codex);
  }
  return remaining;
}

/** Offers to replace the token after a failed test; resolves to false if the user keeps the token. */
async function replaceToken(ask: AsksUser, name: string, context: Context): Promise<boolean> {
  const next = await ask.choice("The test failed. What next?", [
    { value: "token", label: "Try another token" },
    { value: "leave", label: "Keep this token" },
  ]);
  if (next === "leave") return false;
  const token = await ask.secret("Token? (it is not shown)", tokenProblem);
  await saveChange({ name, credential: { type: "token", token } }, context);
  return true;
}

/** Runs `login` as a child, because it reads a pasted address from stdin, which this process reads for its own questions. */
async function signIn(name: string, { self, configPath, paths, env }: Context): Promise<number> {
  // The child has another current directory, so the path must be absolute.
  const option = configPath === undefined ? [] : ["--config-path", paths().configFile];
  const words = [self[0]!, ...self.slice(1), "login", "--server", name, ...option] as const;
  const stdio = { stdin: "inherit", stdout: "inherit", stderr: "inherit" } as const;
  return startChild({ words, env }, stdio).exited;
}

async function pinTools(name: string, context: Context): Promise<number | undefined> {
  const { command } = await import("../pin/pin.ts");
  return command.run({ name, server: undefined, accept: undefined }, context);
}

async function testServer(name: string, context: Context): Promise<number> {
  const { testAndReport } = await import("../test/test.ts");
  return testAndReport(pickServer(await loadConfig(context.paths()), name), context);
}

/** Offers to remove Codex's entries for servers that the configuration does not hold; `next`: the server about to be added. */
export async function offerToPrune(
  ask: AsksUser,
  config: Config,
  next: string,
  context: Context,
): Promise<void> {
  const { staleEntries } = await import("../codex-config/stale.ts");
  for (const name of await staleEntries([...config.servers.keys(), next], context)) {
    const question = `Codex still starts "${name}", which is not configured here: remove its entry?`;
    if (await ask.yes(question))
      await succeeds(ask, context, () => changeCodex("remove", name, context));
  }
}

async function changeCodex(
  change: "write" | "remove",
  name: string,
  context: Context,
): Promise<number | undefined> {
  const { command } = await import("../codex-config/codex-config.ts");
  const flags = {
    write: change === "write",
    remove: change === "remove",
    replace: false,
    native: false,
    required: false,
    "dry-run": false,
  };
  return command.run(
    { server: [name], command: undefined, combined: undefined, "log-file": undefined, ...flags },
    context,
  );
}

/** Whether the work succeeded, with exit code 0. A failure is shown, and the wizard goes on. */
async function succeeds(
  ask: AsksUser,
  { redactor, commandLine }: Context,
  work: () => Promise<number | undefined>,
): Promise<boolean> {
  ask.release();
  try {
    return ((await work()) ?? 0) === 0;
  } catch (error) {
    const failure = asBridgeError(error);
    const { message } = failure;
    const hint = failure.hintText(commandLine);
    const lines = hint === undefined ? message : `${message}\nhint: ${hint}`;
    ask.failure(
      lines
        .split("\n")
        .map((line) => redactor.shown(line))
        .join("\n"),
    );
    return false;
  }
}
