import { configText } from "../../config/clients/variables.ts";
import {
  authorizeParamsOf,
  clientMetadataOf,
  deniedTools,
  firstValue,
  headersOf,
  isClientMetadataUrl,
  jsonOption,
  needsRedirectUri,
  protocolOf,
  type ReadFile,
  readWords,
  redirectUriOf,
  refusedOption,
  storeKeyOf,
  surplusWords,
  takeUrl,
  timeoutsOf,
  type Words,
} from "../../config/mcp-remote/words.ts";
import { asBridgeError } from "../../wire/errors.ts";
import type { Draft } from "./draft.ts";

function takeHeaders(words: Words, draft: Draft, readFile: ReadFile): Map<string, string> {
  const headers = headersOf(words, readFile, (problem) => {
    if ("path" in problem) draft.refuse(`its --header-file cannot be read: ${problem.path}`);
    else draft.note(`${problem.line} that is not Name:value is left out`);
  });
  for (const path of words.values.get("--header-file") ?? [])
    draft.note(`headers come from the file ${path}`);
  for (const [name, value] of headers) draft.header(name, value);
  return headers;
}

/** The JSON object of an option; refuses the draft if it cannot be read. */
function takeJson(words: Words, option: string, draft: Draft, readFile: ReadFile) {
  const text = firstValue(words, option);
  if (text?.startsWith("@")) draft.note(`${option} comes from the file ${text.slice(1)}`);
  try {
    return jsonOption(words, option, readFile);
  } catch (error) {
    draft.refuse(asBridgeError(error).message);
    return undefined;
  }
}

function takeMetadata(words: Words, draft: Draft, readFile: ReadFile): void {
  const option = "--static-oauth-client-metadata";
  const metadata = takeJson(words, option, draft, readFile);
  if (metadata === undefined) return;
  const { auth, ignored } = clientMetadataOf(metadata);
  if (Object.keys(auth).length > 0) draft.oauth(auth);
  for (const key of ignored)
    draft.note(`${key} of ${option} will not carry over: the bridge registers with its own`);
}

function takeOAuth(words: Words, draft: Draft, storeKey: string, readFile: ReadFile): void {
  const refused = refusedOption(words);
  if (refused !== undefined) draft.refuse(refused);
  takeMetadata(words, draft, readFile);
  const option = "--static-oauth-client-info";
  const info = takeJson(words, option, draft, readFile);
  const { client_id: id, client_secret: secret } = info ?? {};
  if (typeof id === "string" && id !== "")
    draft.client(id, typeof secret === "string" ? secret : undefined);
  else if (info !== undefined) draft.refuse(`${option} names no client_id`);
  const metadataUrl = firstValue(words, "--client-metadata-url")?.trim();
  const isMetadataUrl = metadataUrl !== undefined && isClientMetadataUrl(metadataUrl);
  if (isMetadataUrl) draft.oauth({ clientMetadataUrl: metadataUrl });
  else if (metadataUrl !== undefined)
    draft.note("--client-metadata-url is left out: it is no https URL with a path");
  if (needsRedirectUri(words, id !== undefined || isMetadataUrl))
    draft.oauth({ redirectUri: redirectUriOf(words, storeKey) });
  const resource = firstValue(words, "--resource");
  if (words.flags.has("--disable-resource-parameter") || resource === "") {
    draft.oauth({ resource: false });
  } else if (resource !== undefined) draft.oauth({ resource: resource.trim() });
  const params = authorizeParamsOf(words);
  if (Object.keys(params).length > 0) draft.oauth({ authorizeParams: params });
  if (words.flags.has("--device-code")) draft.oauth({ grant: "device_code" });
  if (words.flags.has("--client-credentials")) draft.oauth({ grant: "client_credentials" });
  const tokenEndpoint = firstValue(words, "--token-endpoint")?.trim();
  if (tokenEndpoint !== undefined && words.flags.has("--client-credentials"))
    draft.oauth({ tokenEndpoint });
  else if (tokenEndpoint !== undefined)
    draft.note("--token-endpoint is left out: it needs --client-credentials");
  if (words.flags.has("--use-id-token")) draft.oauth({ useIdToken: true });
}

/** Handles the remaining options. */
function takeRest(words: Words, draft: Draft): void {
  const { flags, unknown } = words;
  const deny = deniedTools(words);
  if (deny.length > 0) draft.entry.tools = { deny };
  if (flags.has("--disable-cookies")) draft.entry.cookies = false;
  if (flags.has("--ipv4")) draft.entry.network = { ...draft.entry.network, ipFamily: 4 };
  Object.assign(
    draft.entry,
    protocolOf(words, (problem) => draft.note(problem)),
  );
  if (words.values.has("--auth-success-url"))
    draft.note("--auth-success-url is left out: the bridge shows a page of its own");
  const transport = firstValue(words, "--transport");
  if (transport?.endsWith("-only")) {
    draft.note(`--transport ${transport} is not needed: the bridge detects the transport`);
  }
  const surplus = surplusWords(words);
  if (surplus > 0)
    draft.note(
      `${surplus} ${surplus === 1 ? "word" : "words"} behind the URL: left out, no option`,
    );
  for (const option of unknown) draft.note(`${option} is left out: mcp-remote does not know it`);
}

/** Converts mcp-remote's arguments to settings of the draft. */
export function takeMcpRemote(args: readonly string[], draft: Draft, readFile: ReadFile): void {
  const words = readWords(args);
  const url = takeUrl(words);
  if (url === undefined) {
    draft.refuse("mcp-remote is started without a URL");
    return;
  }
  const isAllowed = words.flags.has("--allow-http");
  draft.url(url, isAllowed ? undefined : "mcp-remote refuses it without --allow-http");
  const headers = takeHeaders(words, draft, readFile);
  const storeKey = storeKeyOf(configText(draft.resolve(url)), words, headers);
  draft.mcpRemoteKey = storeKey;
  takeOAuth(words, draft, storeKey, readFile);
  Object.assign(draft.entry, timeoutsOf(words));
  takeRest(words, draft);
}
