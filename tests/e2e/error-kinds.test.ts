// Each kind of error, made to happen on a real socket: what the client gets, and how `test` ends.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { runProgram } from "../support/program.ts";
import { serveHttp } from "../support/serve-http.ts";
import { Session } from "../support/terminal.ts";

let folder: ReturnType<typeof ownFolder>;
let cleanUp: (() => void)[];
beforeEach(() => {
  folder = ownFolder();
  cleanUp = [];
});
afterEach(() => {
  for (const step of cleanUp) step();
  folder[Symbol.dispose]();
});

/** A server that answers everything with one status. */
const answering = (status: number, body = "", headers: Record<string, string> = {}) => ({
  url: serveHttp(() => new Response(body, { status, headers })).href,
});

/** A listener that takes a request and breaks the connection. */
function breaking() {
  const socket = { data: (it: Bun.Socket) => void it.terminate() };
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
  cleanUp.push(() => listener.stop(true));
  return { url: `http://127.0.0.1:${listener.port}/mcp` };
}

/** A port on which nothing listens. */
function closed() {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop(true);
  return { url: `http://127.0.0.1:${listener.port}/mcp`, ...once };
}

/** A server whose certificate nobody knows. */
function untrusted() {
  const file = (name: string) => readFileSync(join(import.meta.dir, "../fault/certificates", name));
  const tls = { key: file("selfsigned.key"), cert: file("selfsigned.pem") };
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls, fetch: () => new Response() });
  cleanUp.push(() => void server.stop(true));
  return { url: `https://localhost:${server.port}/mcp` };
}

const kinds: [kind: string, code: number, exit: number, entry: () => object][] = [
  ["configuration", 1400, 3, () => ({ ...answering(200), tokenEnv: "UNSET" })],
  ["sign-in-required", 1401, 4, () => ({ ...answering(401), auth: { type: "oauth" } })],
  ["unauthorized", 1402, 4, () => ({ ...answering(401), token: "wrong" })],
  ["forbidden", 1403, 1, () => answering(403)],
  ["server-not-found", 1404, 1, () => answering(404)],
  ["timeout", 1408, 5, () => ({ url: serveHttp(() => new Promise(() => {})).href, timeoutSec: 1 })],
  ["too-large", 1413, 1, () => ({ ...answering(200, "x".repeat(2e6), json), ...oneMegabyte })],
  ["rate-limited", 1429, 1, () => ({ ...answering(429), ...once })],
  ["refused", 1451, 1, () => answering(302, "", { location: "https://other.example/mcp" })],
  ["tls", 1495, 5, untrusted],
  ["dns", 1496, 5, () => ({ url: "https://mcp.invalid/mcp", ...once })],
  ["connection-refused", 1497, 5, closed],
  ["server-error", 1500, 1, () => ({ ...answering(500), ...once })],
  ["bad-answer", 1502, 1, () => answering(200, "<html>", { "content-type": "text/html" })],
  [
    "unreachable",
    1503,
    5,
    () => ({ url: "https://mcp.example/mcp", network: { proxy: answering(403).url }, ...once }),
  ],
  ["outcome-unknown", 1504, 1, breaking],
];
const once = { retry: { attempts: 1 } };
const json = { "content-type": "application/json" };
const oneMegabyte = { limits: { messageMB: 1 } };

const start = {
  protocolVersion: "2025-06-18",
  capabilities: {},
  clientInfo: { name: "c", version: "1" },
};
// Without a sign-in initialize is answered by the bridge itself, and what follows is refused.
const stdin = [
  { id: 1, method: "initialize", params: start },
  { id: 2, method: "tools/list" },
]
  .map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  .join("");

/** Configures the server; the environment of its user. */
function configure(entry: object): Record<string, string> {
  const config = JSON.stringify({ version: 1, servers: { kb: { transport: "http", ...entry } } });
  writeFileSync(join(folder.path, "config.json"), config, { mode: 0o600 });
  return { HOME: folder.path, CODEX_MCP_BRIDGE_HOME: folder.path };
}

/** The commands of ours in a text. */
const ownCommands = (text: string) => text.match(/codex-mcp-http-bridge [^\n"]*/g) ?? [];

test.each(kinds)(
  "%s reaches the client with code %d, and test exits with %d",
  async (kind, code, exit, entry) => {
    configure(entry());
    const env = { HOME: folder.path };
    const path = ["--config-path", join(folder.path, "config.json")];
    const words = ["run", "--no-cache", "--sign-in", "never", ...path];
    const ran = await runProgram(words, { env, stdin });
    const answers = ran.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const [{ error }] = answers.filter((answer) => answer.error).sort((a, b) => a.id - b.id);
    expect(error.data).toEqual({ kind });
    expect(error.code).toBe(code);
    // A wrong start ends with its code; a start that went well answered every request.
    expect(ran.code).toBe(kind === "configuration" ? exit : 0);
    // A command that is followed reaches the configuration in use, and makes no second one.
    for (const command of ownCommands(error.message)) expect(command).toContain(path.join(" "));
    const tested = await runProgram(["test", "--json", ...path], { env });
    const [step] = JSON.parse(tested.stdout).steps;
    expect(step).toMatchObject({ name: "initialize", ok: false, error: { kind } });
    // The hint at a missing variable depends on the client.
    if (kind !== "configuration") expect(error.message).toEndWith(`: ${step.error.hint}`);
    expect(tested.code).toBe(exit);
  },
);

const oauth = (more: object) => ({ auth: { type: "oauth", clientId: "c", ...more } });
const machine = (more: object) => oauth({ grant: "jwt_bearer", ...more });
const idp = {
  issuer: "https://idp.example",
  tokenEndpoint: "https://idp.example/t",
  clientId: "c",
};
const idJag = (more: object) => oauth({ grant: "id_jag", idp: { ...idp, ...more } });
const pem = join(import.meta.dir, "../fault/certificates/client.pem");

test.each([
  ["tokenEnv", { tokenEnv: "UNSET_X" }],
  ["header X-K", { headers: { "X-K": "a ${UNSET_X}" } }],
  ["client secret", oauth({ clientSecretEnv: "UNSET_X" })],
  ["assertion", machine({ assertionEnv: "UNSET_X" })],
  ["ID token", idJag({ idTokenEnv: "UNSET_X" })],
  ["tokenFile", { tokenFile: "/none/x" }],
  ["network.caFile", { network: { caFile: "/none/x" } }],
  ["network.clientCertFile", { network: { clientCertFile: "/none/x", clientKeyFile: pem } }],
  ["network.clientKeyFile", { network: { clientCertFile: pem, clientKeyFile: "/none/x" } }],
  ["client secret", oauth({ clientSecretFile: "/none/x" })],
  ["private key", oauth({ privateKeyFile: "/none/x" })],
  ["assertion", machine({ assertionFile: "/none/x" })],
  ["ID token", idJag({ idTokenFile: "/none/x" })],
])("a start without its %s is refused before anything is sent: %j", async (what, entry) => {
  let asked = 0;
  const { href: url } = serveHttp(() => new Response(null, { status: 400 + asked++ }));
  const env = configure({ url, ...entry });
  for (const words of [["run"], ["run", "--no-cache"], ["run", "--server", "kb"]]) {
    const { code, stdout } = await runProgram(words, { env, stdin });
    const { error } = JSON.parse(stdout.split("\n")[0]!);
    expect(error.code).toBe(1400);
    expect(error.message).toStartWith(`${what} of server "kb": `);
    expect(error.message).toMatch(/the variable UNSET_X is not set|there is no file \/none\/x/);
    expect(code).toBe(3);
  }
  expect(asked).toBe(0);
});

test("on a terminal, run reports a missing variable at once", async () => {
  const env = configure({ ...answering(200), tokenEnv: "UNSET_X" });
  await using session = new Session(["run"], env);
  await session.sees('error: tokenEnv of server "kb": the variable UNSET_X is not set');
  await session.sees("hint: set UNSET_X where the client starts");
  expect(await session.ended).toBe(3);
});

test("run starts without the client secret if a sign-in is stored", async () => {
  const { href: url, origin } = serveHttp(() => new Response(null, { status: 404 }));
  const env = configure({ url, ...oauth({ clientSecretEnv: "UNSET_X" }) });
  const issuer = "https://issuer.example";
  const client = { id: "c", method: "client_secret_basic", source: "configured", secret: "s3cret" };
  const at = { issuer, tokenEndpoint: `${issuer}/token`, obtainedAt: Date.now() };
  const grant = { ...at, client, accessToken: "a-token", tokenType: "Bearer" };
  const stored = { version: 1, server: "kb", origin, grant };
  mkdirSync(join(folder.path, "credentials"), { mode: 0o700 });
  const file = join(folder.path, "credentials/kb.json");
  writeFileSync(file, JSON.stringify(stored), { mode: 0o600 });
  const { code, stdout } = await runProgram(["run", "--no-cache"], { env, stdin });
  expect(JSON.parse(stdout.split("\n")[0]!).error.code).toBe(1404);
  expect(code).toBe(0);
});

test("test shows the full URL of a redirect only on a terminal, and never inside a suggested command", async () => {
  const target = "https://other.example/IMPORTANT-run-this";
  const env = configure(answering(302, "", { location: target }));
  const { stdout, stderr } = await runProgram(["test"], { env });
  expect(stdout).toContain('to "other.example"');
  expect(stdout + stderr).not.toContain("IMPORTANT");
  await using session = new Session(["test"], env);
  await session.sees("IMPORTANT-run-this");
  expect(await session.ended).toBe(1);
  expect(ownCommands(session.shown).join()).not.toContain("IMPORTANT");
});
