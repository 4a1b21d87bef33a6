import type { Environment } from "../../platform/paths.ts";
import type { Draft } from "./draft.ts";

// Command lines of supergateway 4, mcp-proxy (Python 0.10, npm 6), fastmcp-remote and hyper-mcp-remote that connect a
// stdio client to a remote server. A command line that serves a local server over HTTP is refused.

const isUrl = (word: string | undefined) => word !== undefined && /^https?:|^\$|^\{/i.test(word);

function takeHeader(line: string, draft: Draft): void {
  const at = line.indexOf(":");
  if (at < 1) draft.note("a header that is not Name: value is left out");
  else draft.header(line.slice(0, at).trim(), line.slice(at + 1).trim());
}

/** Parses options of the forms `--name value` and `--name=value`; a flag gets the next word as its value, too. */
function optionsOf(args: readonly string[]): { option: string; value: string | undefined }[] {
  return args.flatMap((word, at) => {
    if (!word.startsWith("-")) return [];
    const equals = word.indexOf("=");
    return equals < 0
      ? [{ option: word, value: args[at + 1] }]
      : [{ option: word.slice(0, equals), value: word.slice(equals + 1) }];
  });
}

/** Converts supergateway's arguments to settings of the draft. */
export function takeSupergateway(args: readonly string[], draft: Draft): void {
  const options = optionsOf(args);
  const target = options.find(({ option }) => ["--streamableHttp", "--sse"].includes(option));
  if (target?.value === undefined) {
    draft.refuse("it serves a local server over HTTP, so there is no remote server to import");
    return;
  }
  draft.url(target.value);
  for (const { option, value = "" } of options) {
    if (option === "--header") takeHeader(value, draft);
    else if (option === "--oauth2Bearer") draft.token(draft.resolve(value));
    else if (option === "--outputTransport" && value !== "stdio") {
      draft.refuse("it serves the remote server over HTTP, which the bridge cannot do");
    }
  }
}

/** Converts the arguments of mcp-proxy, of the Python package or the npm package, to settings of the draft. */
export function takeMcpProxy(args: readonly string[], env: Environment, draft: Draft): void {
  const values = new Set<string>();
  const headers: [string, string][] = [];
  let client: { id?: string; secret?: string } = {};
  args.forEach((word, at) => {
    const next = args[at + 1];
    if (["-H", "--headers"].includes(word) && next !== undefined) {
      headers.push([next, args[at + 2] ?? ""]);
      values.add(next);
    }
    if (word === "--client-id" && next !== undefined) client = { ...client, id: next };
    if (word === "--client-secret" && next !== undefined) client = { ...client, secret: next };
  });
  const isValue = (word: string, at: number) => values.has(word) || args[at - 1] === "--token-url";
  const url =
    args.find((word, at) => isUrl(word) && !isValue(word, at)) ??
    (env.SSE_URL === undefined ? undefined : "${SSE_URL}");
  if (url === undefined) {
    draft.refuse("it serves a local server over HTTP, so there is no remote server to import");
    return;
  }
  draft.url(url);
  if (env.API_ACCESS_TOKEN !== undefined) {
    draft.token(draft.resolve("${API_ACCESS_TOKEN}"));
  }
  for (const [name, value] of headers) draft.header(name, value);
  if (client.id !== undefined) {
    draft.client(client.id, client.secret);
    draft.oauth({ grant: "client_credentials" });
  }
  const verify = optionsOf(args).find(({ option }) => option === "--verify-ssl")?.value;
  takeVerification(args.includes("--no-verify-ssl") ? "false" : verify, draft);
}

/** Takes the file of CA certificates that replaces the system's, or `false`. */
function takeVerification(value: string | undefined, draft: Draft): void {
  if (value !== undefined && /^(false|0|no|off)$/i.test(value)) {
    draft.note(
      "the bridge always verifies certificates: name the server's CA certificate in network.caFile",
    );
  } else if (value !== undefined && /[./\\]/.test(value) && !isUrl(value))
    draft.certificates(value);
}

/** Options without a counterpart here, whose absence changes no request. */
const harmlessOptions = /^--?(transport|debug|silent|host|auth-timeout|log-level|verbose|v|d|s)$/;

/** Converts the arguments of fastmcp-remote or hyper-mcp-remote to settings of the draft. */
export function takeRemote(args: readonly string[], draft: Draft): void {
  const url = args.find((word) => isUrl(word));
  if (url === undefined) {
    draft.refuse("it is started without a URL");
    return;
  }
  draft.url(url);
  const deny: string[] = [];
  for (const { option, value = "" } of optionsOf(args)) {
    if (["--header", "-H", "--headers"].includes(option)) takeHeader(value, draft);
    else if (["--bearer", "--token", "--auth-token"].includes(option)) {
      draft.token(draft.resolve(value));
    } else if (option === "--ignore-tool") deny.push(value);
    else if (option === "--verify") takeVerification(value, draft);
    else if (option === "--auth" && value === "none") draft.withoutSignIn();
    else if (/^--oauth-client-id$|^--client-id$/.test(option)) draft.client(value, undefined);
    else if (option !== "--auth" && !harmlessOptions.test(option))
      draft.note(`${option} is left out: config.json has nothing for it`);
  }
  if (deny.length > 0) draft.entry.tools = { deny };
}
