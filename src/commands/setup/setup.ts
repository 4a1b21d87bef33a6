import { type Context, defineCommand } from "../../cli/command.ts";
import { type Config, readConfig } from "../../config/load.ts";
import { BridgeError } from "../../wire/errors.ts";
import {
  type FlagForm,
  readFlags,
  type SetupValues,
  secretFromStdin,
  setupArguments,
} from "./flags.ts";
import type { Steps } from "./next-steps.ts";

export const command = defineCommand({
  args: setupArguments,
  async run(values, context) {
    if (values.schema !== undefined) {
      const { schemaText } = await import("../../config/save.ts");
      await context.print(await schemaText(values.schema));
      return 0;
    }
    if (values.from !== undefined) {
      if (values.server === undefined)
        throw new BridgeError("usage", "--from needs the new server's name: --server NAME");
      const given = (Object.keys(setupArguments) as (keyof SetupValues)[]).filter((option) =>
        isGiven(values[option]),
      );
      const other = given.find((option) => option !== "from" && option !== "server");
      if (other !== undefined)
        throw new BridgeError("usage", `--from and --${other} exclude each other`, {
          hint: "change the server by setup once it has a name",
        });
      const { configureAdHoc } = await import("./from-ad-hoc.ts");
      await configureAdHoc(values.server, values.from, context);
      return 0;
    }
    const config = await readConfig(context.paths());
    const form = readFlags(values, config);
    if (form.missing.length === 0) return saveForm(form, values, context);
    await requireTerminal(form, config);
    const { wizard } = await import("./wizard.ts");
    return wizard(form, config, context);
  },
});

/** Whether an option stands in the command line: flags are false and repeated options are empty without it. */
const isGiven = (value: unknown) =>
  Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;

/** Throws unless stdin and stderr are a terminal; the error names the missing options. */
async function requireTerminal(form: FlagForm, config: Config | undefined): Promise<void> {
  const { isatty } = await import("node:tty");
  if (form.credential !== "stdin" && isatty(0) && isatty(2)) return;
  const isNew = form.change.name === "" || !config?.servers.has(form.change.name);
  const subject = isNew ? "setup without a terminal needs" : "setup of this server needs";
  throw new BridgeError("usage", `${subject} ${form.missing.join(" and ")}`, {
    hint: (command) => `for example: ${command("setup --server NAME --url URL --token-env VAR")}`,
  });
}

/** Saves a change that the options describe completely. */
async function saveForm(
  { change, credential }: FlagForm,
  values: SetupValues,
  context: Context,
): Promise<number> {
  const { saveChange } = await import("./edit.ts");
  const { stepsFor } = await import("./next-steps.ts");
  const paths = context.paths();
  const full = { ...change };
  if (values["client-secret-stdin"]) {
    const clientSecret = await secretFromPipe("--client-secret-stdin");
    context.redactor.add(clientSecret);
    const { settings } = change;
    Object.assign(full, { settings: { ...settings, oauth: { ...settings?.oauth, clientSecret } } });
  }
  if (credential === "stdin") {
    const token = await secretFromPipe("--token-stdin");
    Object.assign(full, { credential: { type: "token", token } });
  } else if (credential !== undefined) {
    Object.assign(full, { credential });
    await warnOfEmpty(credential, context);
  }
  const name = await saveChange(full, context);
  const saved = await readConfig(paths);
  const entry = saved?.raw.servers?.[name];
  const steps: Partial<Steps> = entry === undefined ? {} : stepsFor(name, entry, context);
  const lines = Object.values(steps)
    .map((step) => `  ${step}\n`)
    .join("");
  await context.print(
    `Saved server "${name}" in ${paths.configFile}\n\nNext steps:\n${lines}  restart Codex\n`,
  );
  const server = saved?.servers.get(name);
  const mayChangeTools = [change.url, credential, change.headers].some(
    (part) => part !== undefined,
  );
  if (server !== undefined && mayChangeTools && steps.login === undefined) {
    const { fillCatalog } = await import("./prime-catalog.ts");
    await fillCatalog(server, context);
  }
  if (!values.test || server === undefined) return 0;
  const { testAndReport } = await import("../test/test.ts");
  return testAndReport(server, context);
}

async function secretFromPipe(option: string): Promise<string> {
  const { isatty } = await import("node:tty");
  if (isatty(0))
    throw new BridgeError(
      "usage",
      `${option} reads from a pipe, because a terminal would show the secret`,
      { hint: (command) => `pipe the secret in, or run ${command("setup")} without options` },
    );
  return secretFromStdin(option);
}

/** Warns if the variable or file holds no token. No error, because the user may set the token later. */
async function warnOfEmpty(credential: FlagForm["credential"], context: Context): Promise<void> {
  if (credential === "stdin" || credential === undefined) return;
  if (credential.type === "tokenEnv" && !context.env[credential.variable]) {
    context.warn(`the variable ${credential.variable} is not set here`);
  }
  if (credential.type === "tokenFile") {
    const { readSecretFile } = await import("../../platform/files.ts");
    try {
      readSecretFile(credential.path, "--token-file");
    } catch (error) {
      if (error instanceof BridgeError) context.warn(error.message);
      else throw error;
    }
  }
}
