import type { Context } from "../../cli/command.ts";
import { isPlain } from "../../cli/terminal.ts";
import {
  type Config,
  configuredName,
  parseConfig,
  type RawConfig,
  readConfig,
} from "../../config/load.ts";
import type { ServerEntry } from "../../config/schema.ts";
import {
  headerNameProblem,
  headerValueProblem,
  nameProblem,
  tokenProblem,
} from "../../config/validators.ts";
import { shownUrl } from "../../platform/redact.ts";
import { program } from "../../wire/program-facts.ts";
import { cleanText } from "../../wire/text.ts";
import { removeServer } from "../auth/forget.ts";
import { type Approval, type Change, movesOrigin, saveChange } from "./edit.ts";
import type { FlagForm } from "./flags.ts";
import { offer, offerToPrune } from "./follow-up.ts";
import type { Look } from "./look-at-server.ts";
import { overview } from "./overview.ts";
import { type Pasted, pastedProblem, readPasted } from "./pasted.ts";
import { PlainPrompts } from "./plain-prompts.ts";
import { type AsksUser, Prompts } from "./prompts.ts";

/** The change that the command line describes so far. */
type GivenOptions = Pick<FlagForm, "change" | "credential">;

/** Asks for servers, one after another, and saves each when its questions are answered. */
export async function wizard(
  form: GivenOptions,
  config: Config | undefined,
  context: Context,
  prompts?: AsksUser,
): Promise<number> {
  const title = `${program.name} setup`;
  const ask =
    prompts ?? (isPlain(context.env) ? new PlainPrompts(title) : await Prompts.open(title));
  try {
    await askForServers(ask, form, config, context);
  } finally {
    ask.release();
  }
  return 0;
}

async function askForServers(
  ask: AsksUser,
  form: GivenOptions,
  config: Config | undefined,
  context: Context,
): Promise<void> {
  const paths = context.paths();
  ask.info(
    config === undefined
      ? `A new configuration: ${paths.configFile}`
      : `Found ${paths.configFile} with ${quotedNames(config.raw)}`,
  );
  if (config !== undefined) await offerToPrune(ask, config, form.change.name, context);
  const steps = new Map<string, readonly string[]>();
  let isFirst = true;
  for (;;) {
    const now = await readConfig(paths);
    const raw = now?.raw ?? {};
    if (now !== undefined && now.servers.size > 0) ask.info(await overview(now, context));
    const action = isFirst ? await firstAction(ask, raw, form) : await nextAction(ask, raw);
    const given = isFirst ? form : { change: { name: "" }, credential: undefined };
    isFirst = false;
    if (action === "finish") break;
    if (action === "remove") {
      const name = await chooseServer(ask, raw, "Which server is to be removed?");
      if (!(await ask.yes(`Remove "${name}", its sign-in and its cache?`, false))) {
        continue;
      }
      await removeServer(name, context);
      steps.set(name, [context.commandLine(`codex-config --server ${name} --remove`)]);
      ask.success(`Removed "${name}"`);
      continue;
    }
    const isChange = action === "change" && given.change.name === "";
    const name = isChange ? await chooseServer(ask, raw, "Which server?") : given.change.name;
    const saved = await askServer(
      ask,
      raw,
      { ...given, change: { ...given.change, name } },
      context,
    );
    const entry = (await readConfig(paths))?.raw.servers?.[saved];
    if (entry !== undefined) steps.set(saved, await offer(ask, saved, entry, context));
  }
  ask.end([...steps.values()].flat(), "Restart Codex to see the tools.");
}

/** The quoted names of the configured servers. */
function quotedNames(raw: RawConfig): string {
  const names = Object.keys(raw.servers ?? {});
  return names.length === 0 ? "no server yet" : names.map((name) => `"${name}"`).join(", ");
}

type Action = "add" | "change" | "remove" | "finish";

async function firstAction(ask: AsksUser, raw: RawConfig, form: GivenOptions): Promise<Action> {
  const { name } = form.change;
  if (name !== "") return configuredName(raw, name) === undefined ? "add" : "change";
  if (Object.keys(raw.servers ?? {}).length === 0) return "add";
  return nextAction(ask, raw, "add");
}

async function nextAction(ask: AsksUser, raw: RawConfig, first: Action = "finish") {
  const hasServers = Object.keys(raw.servers ?? {}).length > 0;
  const actions: { value: Action; label: string }[] = [{ value: "add", label: "Add a server" }];
  if (hasServers) {
    actions.push({ value: "change", label: "Change a server" });
    actions.push({ value: "remove", label: "Remove a server" });
  }
  actions.push({ value: "finish", label: "Finish" });
  return ask.choice("What next?", actions, first);
}

async function chooseServer(ask: AsksUser, raw: RawConfig, message: string): Promise<string> {
  const servers = Object.entries(raw.servers ?? {});
  const options = servers.map(([name, entry]) => ({
    value: name,
    label: name,
    hint: cleanText(shownUrl(new URL(entry.url)), 80),
  }));
  return ask.choice(message, options);
}

/** Asks for the settings that the options did not give, and saves the server; resolves to its name. */
async function askServer(
  ask: AsksUser,
  raw: RawConfig,
  { change, credential: given }: GivenOptions,
  context: Context,
): Promise<string> {
  const name =
    change.name === ""
      ? await ask.text("Name of the server?", freeName(raw), "", "crm")
      : change.name;
  const before = raw.servers?.[configuredName(raw, name) ?? ""];
  const pasted = change.url === undefined ? await askUrl(ask, before) : { url: change.url };
  const { url } = pasted;
  const isMoved = movesOrigin(before, url);
  if (isMoved) ask.info("Another host: the old credential is not sent there, a new one is needed.");
  const mayKeep = before !== undefined && !isMoved;
  const credential =
    given !== undefined && given !== "stdin"
      ? { credential: given }
      : (credentialOf(pasted, ask) ??
        (await askCredential(
          ask,
          mayKeep,
          mayKeep ? "keep" : await proposeCredential(ask, raw, url, context),
        )));
  const description =
    change.description ??
    (await ask.text("Description? (may stay empty)", () => undefined, before?.description));
  const approval = change.approval ?? (await askApproval(ask, before));
  const full: Change = { ...change, ...credential, name, url, description, approval };
  const saved = await saveChange(full, context);
  ask.success(`Saved "${saved}" in ${context.paths().configFile}`);
  return saved;
}

/** Asks for the URL. The existing URL is shown without its query, which may hold a secret. */
async function askUrl(
  ask: AsksUser,
  before: ServerEntry | undefined,
): Promise<Pick<Pasted, "url"> & Partial<Pasted>> {
  if (before !== undefined) {
    const answer = await ask.choice("Which URL?", [
      { value: "keep", label: `Keep ${cleanText(shownUrl(new URL(before.url)), 80)}` },
      { value: "other", label: "Another" },
    ]);
    if (answer === "keep") return { url: before.url };
  }
  const text = await ask.text(
    "URL? (or the entry or command of another client)",
    pastedProblem,
    "",
    "https://host.example/mcp",
  );
  return readPasted(text);
}

/** The credential of a pasted entry; undefined if it has none. */
function credentialOf(
  { url, credential, headers, settings, notes = [] }: Partial<Pasted>,
  ask: AsksUser,
): Pick<Change, "credential" | "headers" | "settings"> | undefined {
  for (const note of notes) ask.info(note);
  if (credential === undefined) return undefined;
  ask.info(`Using ${cleanText(shownUrl(new URL(url!)), 80)} and the pasted credential`);
  return {
    credential,
    ...(headers !== undefined && { headers }),
    ...(settings !== undefined && { settings }),
  };
}

/** Asks the server which credential it needs, and shows the finding. */
async function proposeCredential(
  ask: AsksUser,
  { servers: _, ...top }: RawConfig,
  url: string,
  context: Context,
): Promise<Look["wants"]> {
  const { servers } = await parseConfig(
    JSON.stringify({ ...top, servers: { new: { url } } }),
    context.paths(),
  );
  const { lookAtServer } = await import("./look-at-server.ts");
  const { wants, finding } = await ask.busy("Asking the server", () =>
    lookAtServer(servers.get("new")!, context),
  );
  ask.info(finding);
  return wants;
}

/** A check that the name is valid and no server has it. */
function freeName(raw: RawConfig) {
  return (name: string) => {
    const duplicate = configuredName(raw, name);
    return (
      nameProblem(name) ?? (duplicate === undefined ? undefined : `"${duplicate}" is there already`)
    );
  };
}

async function askCredential(
  ask: AsksUser,
  mayKeep: boolean,
  proposed: "keep" | Look["wants"],
): Promise<Pick<Change, "credential" | "headers">> {
  const keep = { value: "keep", label: "Keep what is configured" } as const;
  const how = await ask.choice(
    "How do you sign in?",
    [
      ...(mayKeep ? [keep] : []),
      {
        value: "token",
        label: "Access token",
        hint: "sent as Authorization: Bearer ...; personal access tokens too",
      },
      { value: "header", label: "Key in a header", hint: "such as X-Api-Key" },
      { value: "oauth", label: "OAuth", hint: "in a browser, on this or another machine" },
      { value: "none", label: "Not at all", hint: "the server is open" },
    ] as const,
    proposed,
  );
  switch (how) {
    case "keep":
      return {};
    case "token": {
      const token = await ask.secret("Token? (it is not shown)", tokenProblem);
      return { credential: { type: "token", token } };
    }
    case "header": {
      const header = await ask.text("Name of the header?", headerNameProblem, "X-Api-Key");
      const key = await ask.secret("Key? (it is not shown)", keyProblem);
      return { credential: { type: "headers" }, headers: { [header]: key } };
    }
    default:
      return { credential: { type: how } };
  }
}

function keyProblem(key: string): string | undefined {
  return key === "" ? "expected a key that is not empty" : headerValueProblem(key);
}

async function askApproval(ask: AsksUser, before: ServerEntry | undefined): Promise<Approval> {
  return ask.choice(
    "May Codex call this server's tools without asking? (codex exec refuses every tool that is not marked read-only unless it may)",
    [
      { value: "default", label: "Codex decides", hint: "codex exec: read-only tools only" },
      { value: "approve", label: "approve", hint: "never ask; needed for codex exec" },
      { value: "writes", label: "writes", hint: "ask for tools that are not marked read-only" },
      { value: "prompt", label: "prompt", hint: "ask for every tool" },
      { value: "auto", label: "auto", hint: "Codex's own judgement" },
    ],
    before?.codex?.approval ?? "default",
  );
}
