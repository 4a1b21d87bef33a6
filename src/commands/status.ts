import { type Context, defineCommand } from "../cli/command.ts";
import { adHocServers } from "../config/ad-hoc.ts";
import { loadConfig, readConfig } from "../config/load.ts";
import { type Rule, rulesOf } from "../config/rules-of.ts";
import { needsAllowHttp, shownServerUrl } from "../config/server-url.ts";
import type { ServerSettings } from "../config/settings.ts";
import { mayUseOAuth } from "../oauth/store/grant-owner.ts";
import { cacheFile, type Paths } from "../platform/paths.ts";
import { ServerCache } from "../platform/server-cache.ts";
import { newestCatalog } from "../upstream/catalog/entry.ts";
import { type WaitingTools, waitingTools } from "../upstream/tools/waiting.ts";
import { cleanText, nameWithCodePoints } from "../wire/text.ts";
import { sourcesOf } from "./auth/credential-source.ts";
import { instant, type SignIn, signInLine, signInOf } from "./auth/status-sign-in.ts";

export const command = defineCommand({
  args: { json: { type: "boolean", description: "print JSON" } },
  async run({ json }, context) {
    const paths = context.paths();
    const adHoc = adHocServers(paths);
    const config = adHoc.length > 0 ? await readConfig(paths) : await loadConfig(paths);
    const rows: Row[] = [];
    for (const server of [...(config?.servers.values() ?? []), ...adHoc])
      rows.push(await rowOf(server, context));
    await context.print(json ? jsonOf(rows, paths) : textOf(rows, paths, context));
    return 0;
  },
});

interface Row {
  readonly server: ServerSettings;
  /** Absent if the credential is static. */
  readonly signIn?: SignIn;
  /** The catalog that the next start answers from while it connects to the server. */
  readonly catalog?: ReturnType<typeof newestCatalog>;
  readonly rules: readonly Rule[];
  /** Absent without the rule `pin`. */
  readonly waiting?: WaitingTools | undefined;
}

async function rowOf(server: ServerSettings, context: Context): Promise<Row> {
  const cache = new ServerCache(cacheFile(server.state), server.url, context.log);
  const row = {
    server,
    catalog: newestCatalog(cache),
    rules: rulesOf(server),
    waiting: waitingTools(server, cache),
  };
  const { type } = server.credential;
  if (!mayUseOAuth(server)) return row;
  const signIn = await signInOf(server, context);
  // No credential is configured, and the server has not asked for a sign-in yet: there is nothing to show.
  if (type === "unset" && signIn.state === "signed-out") return row;
  return { ...row, signIn };
}

function catalogLine({ savedAt, tools }: NonNullable<Row["catalog"]>): string {
  const contents =
    tools === undefined
      ? "how to reach it, no list of tools yet"
      : `${tools} ${tools === 1 ? "tool" : "tools"}`;
  return `remembered: ${contents}, as of ${instant(savedAt)} (${ageOf(Date.now() - savedAt)})`;
}

/** How long ago, in the largest unit that fits. */
function ageOf(ms: number): string {
  const minutes = Math.floor(Math.max(ms, 0) / 60_000);
  if (minutes === 0) return "just now";
  const [count, unit] =
    minutes < 60
      ? [minutes, "minute"]
      : minutes < 48 * 60
        ? [Math.floor(minutes / 60), "hour"]
        : [Math.floor(minutes / (24 * 60)), "day"];
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

function waitingLine({ name }: ServerSettings, { tools, problem }: WaitingTools, context: Context) {
  if (problem !== undefined) return problem;
  const shown = tools.map(({ name: tool, why }) => `${nameWithCodePoints(tool)} (${why})`);
  return `withheld until approved: ${cleanText(shown.join(", "))}; run ${context.commandLine(`pin ${name}`)}`;
}

function textOf(rows: readonly Row[], paths: Paths, context: Context): string {
  if (rows.length === 0) return `${paths.configFile} holds no server\n`;
  const blocks = rows.map(({ server, signIn, catalog, rules, waiting }) => {
    const kinds = [
      ...(server.adHoc === undefined ? [] : ["ad hoc"]),
      ...(server.isDisabled ? ["disabled"] : []),
      ...(needsAllowHttp(server.url) ? ["unencrypted, private addresses only"] : []),
    ];
    const kind = kinds.length === 0 ? "" : `  (${kinds.join("; ")})`;
    const lines = [`${server.name}  ${cleanText(shownServerUrl(server))}${kind}`];
    if (server.description !== undefined) lines.push(`  ${cleanText(server.description)}`);
    lines.push(`  ${sourcesOf(server, paths.configFile)}`);
    if (signIn !== undefined) lines.push(`  ${signInLine(server, signIn, context)}`);
    if (catalog !== undefined) lines.push(`  ${catalogLine(catalog)}`);
    for (const { rule, from } of rules) lines.push(`  ${cleanText(rule)} (${from})`);
    if (waiting !== undefined && (waiting.tools.length > 0 || waiting.problem !== undefined))
      lines.push(`  ${waitingLine(server, waiting, context)}`);
    return `${lines.join("\n")}\n`;
  });
  return context.redactor.redact(blocks.join("\n"));
}

function jsonOf(rows: readonly Row[], paths: Paths): string {
  const servers = rows.map(({ server, signIn, catalog, rules, waiting }) => ({
    name: server.name,
    ...(server.adHoc !== undefined && { adHoc: true }),
    ...(server.isDisabled && { disabled: true }),
    ...(server.allowHttp && { allowHttp: true }),
    url: shownServerUrl(server),
    ...(server.description !== undefined && { description: server.description }),
    credential: { type: server.credential.type, where: sourcesOf(server, paths.configFile) },
    ...(signIn !== undefined && { signIn }),
    ...(catalog !== undefined && {
      catalog: { ...catalog, savedAt: instant(catalog.savedAt) },
    }),
    ...(rules.length > 0 && { rules }),
    ...(waiting !== undefined && { withheld: waiting }),
  }));
  return `${JSON.stringify({ config: paths.configFile, servers }, null, 2)}\n`;
}
