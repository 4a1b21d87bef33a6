import type { Context } from "../../cli/command.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { tokenProblem } from "../../config/validators.ts";
import { startChild } from "../../platform/exec.ts";
import { asBridgeError } from "../../wire/errors.ts";
import { saveChange } from "./edit.ts";
import { stepsFor } from "./next-steps.ts";
import type { AsksUser } from "./prompts.ts";

/** Offers sign-in, test and Codex entry after a save; resolves to the commands that remain to be run. */
export async function offer(
  ask: AsksUser,
  name: string,
  entry: ServerEntry,
  context: Context,
): Promise<string[]> {
  const { login, test, codex } = stepsFor(name, entry, context);
  const left: string[] = [];
  let isReady = true;
  if (login !== undefined) {
    const isAsked = await ask.yes(`Sign in to "${name}" now?`);
    // A test before the sign-in could only fail.
    isReady = isAsked && (await succeeds(ask, context, () => signIn(name, context)));
    if (!isReady) left.push(login);
  }
  const isTested = isReady && (await ask.yes(`Test "${name}" now?`));
  let passes = isTested && (await succeeds(ask, context, () => testServer(name, context)));
  while (isTested && !passes && entry.token !== undefined && (await takesOther(ask, name, context)))
    passes = await succeeds(ask, context, () => testServer(name, context));
  if (!passes) left.push(test);
  // A server that failed its test would fail in Codex, too.
  const isFine = passes || !isTested;
  const isWanted = await ask.yes(`Write "${name}" into Codex's configuration now?`, isFine);
  if (!isWanted || !(await succeeds(ask, context, () => writeCodex(name, context)))) {
    left.push(codex);
  }
  return left;
}

/** Offers to replace the token after a failed test; false where it stays. */
async function takesOther(ask: AsksUser, name: string, context: Context): Promise<boolean> {
  const next = await ask.choice("The test failed. What next?", [
    { value: "token", label: "Try another token" },
    { value: "leave", label: "Go on with this one" },
  ]);
  if (next === "leave") return false;
  const token = await ask.secret("Token? (it is not shown)", tokenProblem);
  await saveChange({ name, credential: { type: "token", token } }, context);
  return true;
}

/** Runs `login` as a child: it reads a pasted address from the terminal, which this process holds for its questions. */
async function signIn(name: string, { self, configPath, paths, env }: Context): Promise<number> {
  // The child has another current directory, so the path must be absolute.
  const option = configPath === undefined ? [] : ["--config-path", paths().configFile];
  const words = [self[0]!, ...self.slice(1), "login", "--server", name, ...option] as const;
  const stdio = { stdin: "inherit", stdout: "inherit", stderr: "inherit" } as const;
  return startChild({ words, env }, stdio).exited;
}

async function testServer(name: string, context: Context): Promise<number | undefined> {
  const { command } = await import("../test/test.ts");
  const values = { all: false, json: false, call: undefined, args: undefined };
  return command.run({ server: [name], ...values }, context);
}

async function writeCodex(name: string, context: Context): Promise<number | undefined> {
  const { command } = await import("../codex-config/codex-config.ts");
  const flags = {
    write: true,
    remove: false,
    replace: false,
    native: false,
    required: false,
    "dry-run": false,
  };
  return command.run({ server: [name], command: undefined, ...flags }, context);
}

/** Whether the work succeeded. A failure is shown, and the wizard goes on. */
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
