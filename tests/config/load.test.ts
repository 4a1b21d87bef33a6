import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig, parseConfig, pickServer } from "../../src/config/load.ts";
import { homeOf } from "../../src/platform/paths.ts";
import type { BridgeError } from "../../src/wire/errors.ts";
import { commandLineFor } from "../../src/wire/program-facts.ts";
import { asyncFailure, failure } from "../support/failure.ts";
import { ownFolder } from "../support/folder.ts";

const paths = homeOf({ HOME: "/home/user" });

/** The configuration with one server, whose entry is given as an object. */
const one = (entry: object) => JSON.stringify({ servers: { crm: entry } });
const url = "https://crm.example.com/mcp";

describe("a valid configuration", () => {
  const server = async (entry: object, top: object = {}) => {
    const text = JSON.stringify({ ...top, servers: { crm: { url, ...entry } } });
    return pickServer(await parseConfig(text, paths));
  };

  test("is completed with defaults", async () => {
    expect(await server({})).toMatchObject({
      name: "crm",
      transport: "auto",
      credential: { type: "unset" },
      timeoutMs: 118_000,
      connectTimeoutMs: 10_000,
      keepAliveMs: 0,
      retry: { attempts: 3 },
      limits: { messageBytes: 64 * 1024 * 1024 },
      home: "/home/user/.codex-mcp-bridge",
    });
  });

  test("a server's setting overrides the top-level one", async () => {
    const top = { timeoutSec: 5, network: { proxy: "http://p:1", caFile: "ca.pem" } };
    const found = await server({ timeoutSec: 7, network: { proxy: "http://q:2" } }, top);
    expect(found.timeoutMs).toBe(7000);
    expect(found.network).toEqual({
      proxy: "http://q:2",
      caFile: "/home/user/.codex-mcp-bridge/ca.pem",
    });
    expect((await server({}, top)).timeoutMs).toBe(5000);
  });

  test("may begin with a byte order mark", async () => {
    expect((await parseConfig(`\ufeff${one({ url })}`, paths)).servers.size).toBe(1);
  });

  test("strips white space around a token", async () => {
    expect((await server({ token: " abc\n" })).credential).toEqual({ type: "token", token: "abc" });
  });

  test("relative file names are resolved against the configuration's folder", async () => {
    const path = "/home/user/.codex-mcp-bridge/t";
    expect((await server({ tokenFile: "t" })).credential).toEqual({ type: "tokenFile", path });
    expect((await server({ tokenFile: "/t" })).credential).toEqual({
      type: "tokenFile",
      path: "/t",
    });
    const auth = { type: "oauth", privateKeyFile: "key.pem", assertionFile: "/a" };
    expect((await server({ auth })).credential).toMatchObject({
      auth: { privateKeyFile: "/home/user/.codex-mcp-bridge/key.pem", assertionFile: "/a" },
    });
  });

  test("a relative auth.idp.idTokenFile is resolved against the configuration's folder", async () => {
    const idp = { issuer: "https://idp.example.com", tokenEndpoint: "https://idp.example.com/t" };
    const auth = { type: "oauth", grant: "id_jag", idp: { ...idp, clientId: "c" } };
    const withFile = { ...auth, idp: { ...auth.idp, idTokenFile: "t" } };
    expect((await server({ auth: withFile })).credential).toMatchObject({
      auth: { idp: { idTokenFile: "/home/user/.codex-mcp-bridge/t" } },
    });
    const withVariable = { ...auth, idp: { ...auth.idp, idTokenEnv: "T" } };
    expect((await server({ auth: withVariable })).credential).toMatchObject({
      auth: { idp: { idTokenEnv: "T" } },
    });
    expect((await asyncFailure(() => server({ auth }))).message).toContain("servers.crm.auth.idp");
  });

  test("an Authorization header counts as a static credential: no OAuth sign-in follows", async () => {
    expect((await server({ headers: { Authorization: `Basic \${A}` } })).credential.type).toBe(
      "none",
    );
  });

  test("accepts the documented example", async () => {
    const text = JSON.stringify({
      $schema: "./config.schema.json",
      version: 1,
      servers: {
        crm: {
          url,
          transport: "auto",
          auth: { type: "oauth", grant: "device_code", scopes: ["mcp"], clientId: "..." },
          headers: { "X-Team": "blue", "X-Api-Key": `\${CRM_KEY}` },
          timeoutSec: 118,
          connectTimeoutSec: 10,
          keepAliveSec: 0,
          retry: { attempts: 3 },
          network: {
            proxy: "http://proxy:3128",
            caFile: "/etc/ssl/corp.pem",
            clientCertFile: "...",
            clientKeyFile: "...",
            ipFamily: 4,
          },
          limits: { messageMB: 64 },
          env: ["VAULT_ADDR"],
          audit: { file: "audit.jsonl", arguments: "hash" },
          codex: { approval: "approve", required: false },
        },
      },
    });
    const { codex, audits } = pickServer(await parseConfig(text, paths));
    expect(codex.approval).toBe("approve");
    expect(audits).toEqual([{ file: join(paths.home, "audit.jsonl"), arguments: "hash" }]);
  });

  test.each(["constructor", "toString", "hasOwnProperty", "prototype", "123"])(
    "accepts the server name %s",
    async (name) => {
      const text = JSON.stringify({ servers: { [name]: { url } } });
      expect(pickServer(await parseConfig(text, paths), name).name).toBe(name);
    },
  );

  test.each(["http://localhost:1/", "http://127.0.0.1/x", "http://[::1]:2/", "https://x/?k=v"])(
    "accepts the URL %s",
    async (text) => {
      expect(pickServer(await parseConfig(one({ url: text }), paths)).url.href).toBe(text);
    },
  );

  test("accepts a file that the Python package wrote", async () => {
    const text = `{
  "servers": {
    "my-knowledge-base": {
      "url": "https://www.gurucloudai.com/mcp/abc/mcp",
      "access_token": "pat-123",
      "description": "My GuruCloudAI Knowledge Base"
    }
  }
}`;
    expect(pickServer(await parseConfig(text, paths))).toMatchObject({
      credential: { type: "token", token: "pat-123" },
      description: "My GuruCloudAI Knowledge Base",
    });
  });
});

const hintOf = (error: BridgeError) => error.hintText(commandLineFor(undefined));

describe("picking a server", async () => {
  const two = await parseConfig(
    `{"servers":{"kb":{"url":"${url}"},"crm":{"url":"${url}"}}}`,
    paths,
  );

  test("ignores the case of the name", () => {
    expect(pickServer(two, "KB").name).toBe("kb");
  });

  test("lists the servers if there are several and none was named", () => {
    const error = failure(() => pickServer(two));
    expect([error.exitCode, error.message]).toEqual([
      2,
      'which server? The configuration holds "kb", "crm"',
    ]);
  });

  test("offers no disabled server if none was named", async () => {
    const entry = (more = "") => `{"url":"${url}"${more}}`;
    const disabled = entry(',"disabled":true');
    const three = await parseConfig(
      `{"servers":{"old":${disabled},"kb":${entry()},"crm":${entry()}}}`,
      paths,
    );
    const error = failure(() => pickServer(three, undefined, { hasAll: true }));
    expect([error.message, hintOf(error)]).toEqual([
      'which server? The configuration holds "kb", "crm"',
      "add --all, or --server kb",
    ]);
  });

  test("lists the servers if the name is unknown", () => {
    const error = failure(() => pickServer(two, "toString"));
    expect(error.exitCode).toBe(3);
    expect(hintOf(error)).toContain('"kb", "crm"');
  });

  test("points to setup if there is no server", async () => {
    const none = await parseConfig("{}", paths);
    expect(hintOf(failure(() => pickServer(none)))).toContain("setup");
  });
});

describe("the file", () => {
  test("if missing, causes an error that names setup", async () => {
    using folder = ownFolder();
    const error = await loadConfig(homeOf({ HOME: folder.path })).catch((reason) => reason);
    expect([error.exitCode, hintOf(error)]).toEqual([3, "run codex-mcp-http-bridge setup"]);
  });

  test("written by the Python package is accepted in a folder of mode 0755", async () => {
    using folder = ownFolder();
    const home = join(folder.path, ".codex-mcp-bridge");
    mkdirSync(home, { mode: 0o755 });
    writeFileSync(join(home, "config.json"), one({ url, access_token: "abc" }), { mode: 0o600 });
    expect((await loadConfig(homeOf({ HOME: folder.path }))).servers.size).toBe(1);
  });

  test.each([
    ["a token", { token: "abcdefgh" }],
    ["the Python package's token", { access_token: "abcdefgh" }],
    ["a client secret", { auth: { type: "oauth", clientSecret: "abcdefgh" } }],
    ["a key in the URL", { url: `${url}?apikey=abcdefgh` }],
    ["a proxy's password", { network: { proxy: "http://u:p@proxy:1" } }],
    ["a key in a header", { headers: { "X-Api-Key": "abcdefgh" } }],
  ])("is refused if it holds %s and others may read it", async (_, entry) => {
    using folder = ownFolder();
    const file = join(folder.path, "config.json");
    writeFileSync(file, one({ url, ...entry }), { mode: 0o640 });
    const error = await loadConfig(homeOf({}, file)).catch((reason) => reason);
    expect(error.hint).toBe(`run chmod 600 ${file}`);
  });

  test("is accepted if others may read it and it holds no secret", async () => {
    using folder = ownFolder();
    const file = join(folder.path, "config.json");
    const entry = {
      tokenEnv: "A",
      headers: { "X-Team": "blue-team", "X-Api-Key": `\${KEY_OF_CRM}` },
    };
    writeFileSync(file, one({ url, ...entry }), { mode: 0o644 });
    expect((await loadConfig(homeOf({}, file))).servers.size).toBe(1);
  });

  test("is refused if over the size limit, without being read whole", async () => {
    using folder = ownFolder();
    const file = join(folder.path, "config.json");
    writeFileSync(file, " ".repeat(5 * 1024 * 1024), { mode: 0o600 });
    const error = await loadConfig(homeOf({}, file)).catch((reason) => reason);
    expect(error.message).toContain("is larger than");
  });

  test("is refused if it is not UTF-8", async () => {
    using folder = ownFolder();
    const file = join(folder.path, "config.json");
    writeFileSync(file, new Uint8Array([0x7b, 0xff, 0x7d]), { mode: 0o600 });
    const error = await loadConfig(homeOf({}, file)).catch((reason) => reason);
    expect(error.message).toContain("is not UTF-8");
  });
});
