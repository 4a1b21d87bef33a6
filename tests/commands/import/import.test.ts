import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { convertEntry } from "../../../src/commands/import/convert.ts";
import { command as importCommand } from "../../../src/commands/import/import.ts";
import type { JsonObject } from "../../../src/config/clients/document.ts";
import { findEntries } from "../../../src/config/clients/entries.ts";
import { bridge, removeUsers, user } from "./import-user.ts";

afterEach(removeUsers);

/** The draft of a client's entry. */
function draftOf(value: JsonObject, origin: Parameters<typeof convertEntry>[2] = {}) {
  const [entry] = findEntries({ mcpServers: { crm: value } });
  const outcome = convertEntry(entry!, () => undefined, origin);
  if (outcome.kind !== "server") throw new Error("the entry reaches no remote server");
  return outcome.draft;
}

const desktop = ".config/Claude/claude_desktop_config.json";
const claude = `{
  // mine
  "mcpServers": {
    "crm": {"command": "npx", "args": ["-y", "mcp-remote", "https://crm.example/mcp", "--header", "Authorization:\${AUTH}"], "env": {"AUTH": "Bearer canary-token"}, "disabled": false},
    "fs": {"command": "npx", "args": ["-y", "server-filesystem"]}, // stays
  },
}
`;
const backup = `${desktop}.codex-mcp-http-bridge.bak`;

describe("import", () => {
  test("without FILE, reads the clients' files, prints the plan and saves nothing", async () => {
    const { put, run, home } = user();
    put(desktop, claude);
    put(".cursor/mcp.json", '{"mcpServers": {"kb": {"url": "https://kb.example/mcp"}}}');
    const { out, notes, code } = await run(importCommand);
    expect(code).toBe(0);
    expect(out).toBe(`To import:
  crm  https://crm.example/mcp
    token; from Claude Desktop, through mcp-remote
  kb  https://kb.example/mcp
    OAuth, if the server asks for it; from Cursor

1 entry starts a local server and is left unchanged.
`);
    expect(notes).toEqual(["nothing was saved: add --all, or --select NAME for each server"]);
    expect(existsSync(join(home, ".codex-mcp-bridge"))).toBe(false);
  });

  test("finds the configuration file of every client", async () => {
    const { put, run } = user();
    const json = (key: string, name: string) =>
      JSON.stringify({ [key]: { [name]: { url: `https://${name}.example/mcp` } } });
    const files = {
      ".claude.json": json("mcpServers", "claude-code"),
      [desktop]: json("mcpServers", "claude-desktop"),
      ".cursor/mcp.json": json("mcpServers", "cursor"),
      ".config/Code/User/mcp.json": json("servers", "vscode"),
      ".codeium/windsurf/mcp_config.json": json("mcpServers", "windsurf"),
      ".config/zed/settings.json": json("context_servers", "zed"),
      ".gemini/settings.json": json("mcpServers", "gemini"),
      ".qwen/settings.json": json("mcpServers", "qwen"),
      ".config/opencode/opencode.jsonc": json("mcp", "opencode"),
      ".copilot/mcp-config.json": json("mcpServers", "copilot"),
      ".continue/config.yaml":
        "mcpServers:\n  - name: continue\n    url: https://continue.example/\n",
      ".cline/data/settings/cline_mcp_settings.json": json("mcpServers", "cline"),
      ".config/goose/config.yaml":
        "extensions:\n  goose:\n    type: sse\n    uri: https://goose.example/\n",
      ".codex/config.toml": '[mcp_servers.codex]\nurl = "https://codex.example/mcp"\n',
      ".mcporter/mcporter.json": json("mcpServers", "mcporter"),
    };
    for (const [name, text] of Object.entries(files)) put(name, text);
    const { out } = await run(importCommand, "--json");
    const found: { name: string; client: string }[] = JSON.parse(out).found;
    expect(found.map(({ client }) => client)).toEqual(found.map(({ name }) => name));
    expect(found).toHaveLength(Object.keys(files).length);
  });

  test("--all saves the token in config.json without printing it, and prints the next steps and the undo command", async () => {
    const { put, run, servers, home } = user();
    const { out, notes } = await run(importCommand, put("x.json", claude), "--all");
    expect(servers()).toEqual({ crm: { url: "https://crm.example/mcp", token: "canary-token" } });
    expect(out + notes.join()).not.toContain("canary");
    expect(out).toContain(`
✓ Saved "crm" in ${home}/.codex-mcp-bridge/config.json

Next steps:
  codex-mcp-http-bridge codex-config --write

Undo:
  codex-mcp-http-bridge import --undo
`);
    expect(statSync(join(home, ".codex-mcp-bridge/config.json")).mode & 0o777).toBe(0o600);
  });

  test("a server without a credential is tested first, and signed in to only if it asks for that", async () => {
    const { put, run } = user();
    const remote = (url: string) => ({ command: "npx", args: ["mcp-remote", url] });
    const mcpServers = { r: remote("https://r.example/mcp") };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
    );
    expect(out).toContain(`
Next steps:
  codex-mcp-http-bridge test --server r
  codex-mcp-http-bridge login --server r   (if it asks for a sign-in)
  codex-mcp-http-bridge codex-config --write
`);
  });

  test("a configuration of this program is refused: its credentials would be lost", async () => {
    const own = { kb: { url: "https://kb.example/mcp" } };
    const { put, refused, servers, home } = user(own);
    const other = { servers: { pub: { url: "https://pub.example/mcp", tokenEnv: "TOKEN" } } };
    for (const file of [
      put("other.json", JSON.stringify(other)),
      join(home, ".codex-mcp-bridge/config.json"),
    ]) {
      const error = await refused(importCommand, file, "--all");
      expect(error.message).toBe(`${file} is a configuration of this program`);
      expect(error.hint).toBe("use export, then import the team file");
    }
    expect(servers()).toEqual(own);
  });

  test("an unknown client is named, with the nearest", async () => {
    const error = await user().refused(importCommand, "--from", "cursr");
    expect(error.message).toBe('unknown client "cursr"');
    expect(error.hint).toStartWith("did you mean cursor? One of claude-code, ");
  });

  test("skips servers that config.json already has, numbers duplicate names and converts invalid names", async () => {
    const same = { url: "https://kb.example/mcp", token: "tok" };
    const { put, run, servers } = user({ kb: same, crm: { url: "https://old.example/mcp" } });
    const entry = (url: string, more = {}) => ({ url, ...more });
    const mcpServers = {
      mine: entry("https://kb.example/mcp", { headers: { Authorization: "Bearer tok" } }),
      crm: entry("https://crm.example/mcp"),
      "CRM-2": entry("https://third.example/mcp"),
      "@team/Wiki Page": entry("https://wiki.example/mcp"),
      日本: entry("https://jp.example/mcp"),
    };
    const file = put("x.json", JSON.stringify({ mcpServers }));
    const { out } = await run(importCommand, file, "--all");
    expect(Object.keys(servers())).toEqual([
      "kb",
      "crm",
      "crm-2",
      "CRM-2-2",
      "team-Wiki-Page",
      "jp-example",
    ]);
    expect(out).toContain(
      "Already in config.json, left unchanged:\n  mine → kb  https://kb.example/mcp",
    );
    expect(out).toContain("@team/Wiki Page → team-Wiki-Page");
    expect((await run(importCommand, file, "--all")).out).toContain("nothing to save");
  });

  test("--select imports only the selected servers, by their name in the client or in config.json", async () => {
    const { put, run, refused, servers } = user();
    const mcpServers = { "a b": { url: "https://a.example/" }, c: { url: "https://c.example/" } };
    const file = put("x.json", JSON.stringify({ mcpServers }));
    await run(importCommand, file, "--select", "A-B");
    expect(Object.keys(servers())).toEqual(["a-b"]);
    const error = await refused(importCommand, file, "--select", "zz");
    expect([error.kind, error.hint]).toEqual(["usage", "found: a b, c"]);
  });

  test("--select of a server that cannot be imported fails with the reason", async () => {
    const { put, refused, home } = user();
    const mcpServers = { lan: { url: "http://203.0.113.9/mcp" } };
    const file = put("x.json", JSON.stringify({ mcpServers }));
    const error = await refused(importCommand, file, "--select", "lan");
    expect([error.kind, error.exitCode]).toEqual(["refused", 1]);
    expect(error.message).toContain("http is unencrypted");
    expect(existsSync(join(home, ".codex-mcp-bridge"))).toBe(false);
  });

  test("takes variables of the URL's path and query, private http, hidden tools and machine sign-ins", async () => {
    const { put, run, servers } = user();
    const npx = (...args: string[]) => ({ command: "npx", args: ["mcp-remote", ...args] });
    const machine = ["--client-credentials", "--token-endpoint", "https://auth.example/token"];
    const file = put(
      "x.json",
      JSON.stringify({
        mcpServers: {
          variables: { url: "https://x.example/${env:TENANT}/mcp?key=${KEY:-none}" },
          lan: { url: "http://10.0.0.2/mcp" },
          tools: npx("https://t.example/mcp", "--ignore-tool", "delete_*", "--ignore-tool", "a[b"),
          machine: npx("https://m.example/mcp", ...machine, "--use-id-token"),
        },
      }),
    );
    const { out } = await run(importCommand, file, "--all");
    expect(servers()).toEqual({
      variables: { url: "https://x.example/${TENANT}/mcp?key=${KEY:-none}" },
      lan: { url: "http://10.0.0.2/mcp", allowHttp: true },
      tools: { url: "https://t.example/mcp", tools: { deny: ["delete_*", "a\\[b"] } },
      machine: {
        url: "https://m.example/mcp",
        auth: {
          type: "oauth",
          grant: "client_credentials",
          tokenEndpoint: "https://auth.example/token",
          useIdToken: true,
        },
      },
    });
    expect(out).toContain("https://x.example/${TENANT}/mcp?key=...");
    expect(out).toContain("unset variables: TENANT\n");
    expect(out).toContain("works at private addresses alone");
  });

  test("lists the inputs and variables whose values no file holds", async () => {
    const { put, run, servers } = user();
    const headers = { Authorization: "Bearer ${input:crm-token}", "X-Key": "${KEY}" };
    const mcpServers = { crm: { url: "https://crm.example/mcp", headers } };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
      "--json",
    );
    expect(JSON.parse(out).found[0].missing).toEqual([
      { variable: "CRM_TOKEN", label: "input:crm-token" },
      { variable: "KEY", label: "KEY" },
    ]);
    expect(servers().crm).toEqual({
      url: "https://crm.example/mcp",
      tokenEnv: "CRM_TOKEN",
      headers: { "X-Key": "${KEY}" },
    });
  });

  test("an entry that starts another bridge in an unreadable way is refused, not taken for a local server", async () => {
    const { put, run } = user();
    const args = ["-c", "npx mcp-remote https://kb.example/mcp --header A:$(cat canary-file)"];
    const file = put("x.json", JSON.stringify({ mcpServers: { kb: { command: "bash", args } } }));
    const { out } = await run(importCommand, file);
    expect(out).toBe(`Cannot be imported:
  kb  ${file}, through mcp-remote
    its command line starts mcp-remote in a way that import cannot read (it uses the character (): add the server by setup --url
`);
  });

  test("takes the port, the protocol and the metadata document of mcp-remote, as the drop-in does", async () => {
    const { put, run, servers } = user();
    const npx = (...args: string[]) => ({
      command: "npx",
      args: ["mcp-remote", "https://a.example/mcp", ...args],
    });
    const metadata = "https://a.example/client.json";
    const mcpServers = {
      port: npx("4000"),
      protocol: npx("--protocol", "legacy", "--auth-success-url", "https://a.example/"),
      metadata: npx("4000", "--client-metadata-url", metadata),
      machine: npx("4000", "--client-credentials"),
      nameless: npx("--static-oauth-client-info", "{}"),
      reserved: npx("--authorize-param", "state=x"),
      relative: npx("--resource", "x y"),
    };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
    );
    const url = "https://a.example/mcp";
    const redirectUri = `http://localhost:4000/oauth/callback`;
    expect(servers()).toEqual({
      port: { url, auth: { type: "oauth", redirectUri } },
      protocol: { url, protocol: "session" },
      metadata: { url, auth: { type: "oauth", clientMetadataUrl: metadata, redirectUri } },
      machine: { url, auth: { type: "oauth", grant: "client_credentials" } },
    });
    expect(out).toContain("--auth-success-url is left out: the bridge shows a page of its own");
    for (const reason of [
      "--static-oauth-client-info names no client_id",
      "--authorize-param cannot set state: the sign-in itself sets it",
      "--resource is no absolute URI",
    ])
      expect(out).toContain(`    ${reason}\n`);
  });

  test("takes OAuth settings under the keys of every client, and names those that will not carry over", async () => {
    const { put, run, servers, env } = user();
    Object.assign(env, { CID: "id" });
    const url = "https://a.example/mcp";
    const mcpServers = {
      gemini: {
        url,
        oauth: { clientId: "$CID", tokenUrl: "https://a.example/token", audiences: ["x"] },
      },
      mcporter: {
        ...{ url, auth: "oauth", oauthClientId: "c", oauthClientSecretEnv: "S", oauthScope: "a b" },
        oauthTokenEndpointAuthMethod: "client_secret_post",
      },
      codex: { url, oauth_resource: "https://a.example/", scopes: ["r"] },
      opencode: { url, oauth: false },
      unset: { url, oauth: { clientId: "${NOT_SET}" } },
    };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
    );
    expect(servers()).toEqual({
      gemini: { url, auth: { type: "oauth", clientId: "id" } },
      mcporter: {
        url,
        auth: {
          ...{ type: "oauth", clientId: "c", clientSecretEnv: "S" },
          ...{ scopes: ["a", "b"], clientAuth: "client_secret_post" },
        },
      },
      codex: { url, auth: { type: "oauth", scopes: ["r"], resource: "https://a.example/" } },
      opencode: { url, auth: { type: "none" } },
    });
    expect(out).toContain("oauth.tokenUrl will not carry over: the bridge discovers the authoriz");
    expect(out).toContain("oauth.audiences will not carry over");
    expect(out).toContain("the variable NOT_SET of its OAuth client id is unset: set it, then");
  });

  test("a variable in the host of a URL gets its value of today or its default, and a fragment is left out", async () => {
    const { put, run, servers, env } = user();
    Object.assign(env, { HOST: "set.example" });
    const mcpServers = {
      set: { url: "https://${HOST}/mcp" },
      fallback: { url: "${BASE:-https://fallback.example}/mcp" },
      fragment: { url: "https://a.example/mcp?k=1#part" },
    };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
    );
    expect(servers()).toEqual({
      set: { url: "https://set.example/mcp" },
      fallback: { url: "https://fallback.example/mcp" },
      fragment: { url: "https://a.example/mcp?k=1" },
    });
    expect(out).toContain(
      "the variables of its URL's host are fixed to the values of today: HOST\n",
    );
    expect(out).toContain("the fragment of its URL is left out: no request carries it\n");
  });

  test("a variable behind the host stays a variable where the host's gets its value", async () => {
    const { put, run, servers, env } = user();
    Object.assign(env, { HOST: "set.example", KEY: "canary-key" });
    const mcpServers = {
      own: { url: "https://${HOST}/${KEY}/mcp?k=${KEY}" },
      entry: {
        command: "npx",
        args: ["mcp-remote", "https://a.example/${TOKEN}/mcp"],
        env: { TOKEN: "canary-token" },
      },
    };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
    );
    expect(servers()).toEqual({
      own: { url: "https://set.example/${KEY}/mcp?k=${KEY}" },
      entry: { url: "https://a.example/canary-token/mcp" },
    });
    expect(out).not.toContain("canary");
  });

  test("names the files, the proxy and the certificate that an entry brings", async () => {
    const { put, run } = user();
    put("lines.txt", "X-Mine: canary");
    put("client.json", '{"client_id": "id"}');
    const args = ["mcp-remote", "https://a.example/mcp", "--header-file", "lines.txt"];
    const info = ["--static-oauth-client-info", "@client.json"];
    const env = {
      HTTPS_PROXY: "http://u:canary@proxy.example:8080",
      NODE_EXTRA_CA_CERTS: "/ca.pem",
    };
    const mcpServers = { crm: { command: "npx", args: [...args, ...info], env } };
    const { out } = await run(importCommand, put("x.json", JSON.stringify({ mcpServers })));
    for (const line of [
      "headers come from the file lines.txt",
      "--static-oauth-client-info comes from the file client.json",
      "its proxy is proxy.example:8080",
      "its certificate file is /ca.pem",
    ])
      expect(out).toContain(`    - ${line}\n`);
    expect(out).not.toContain("canary");
  });

  test("an entry's hidden tools stay hidden, and settings that a present server has otherwise are named", async () => {
    const url = "https://a.example/mcp";
    const { put, run, servers } = user({ plain: { url } });
    const npx = (...more: string[]) => ({ command: "npx", args: ["mcp-remote", url, ...more] });
    const mcpServers = {
      deny: npx("--ignore-tool", "delete_*"),
      again: npx("--ignore-tool", "delete_*"),
      cookies: npx("--disable-cookies", "--protocol", "legacy"),
    };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
    );
    expect(servers()).toEqual({ plain: { url }, deny: { url, tools: { deny: ["delete_*"] } } });
    expect(out).toContain("again → deny  ");
    expect(out).toContain("cookies → plain  ");
    expect(out).toContain(
      'these settings will not carry over, "plain" keeps its own: cookies, protocol\n',
    );
  });

  test("names the variables of a command line that the entry does not use, and no answer", () => {
    const { notes } = draftOf(
      {
        command: "docker",
        args: [
          ..."run -e A=b -e USED=c node npx mcp-remote https://a.example/".split(" "),
          "--header",
          "X: ${USED}",
        ],
      },
      { answers: { OTHER: "x" } },
    );
    expect(notes).toEqual([
      "docker is left out: the bridge runs outside of containers",
      "the entry does not use A: left out",
    ]);
  });

  test("only Codex's own file decides about Codex", () => {
    const value = {
      url: "https://a.example/",
      default_tools_approval_mode: "approve",
      required: true,
    };
    expect(draftOf(value, { isCodex: true }).entry.codex).toEqual({
      approval: "approve",
      required: true,
    });
    const { entry, notes } = draftOf(value);
    expect([entry.codex, notes]).toEqual([
      undefined,
      [
        "default_tools_approval_mode will not carry over: the file is not known as Codex's (add --from codex if it is)",
      ],
    ]);
  });

  test("takes over the sign-in of the folder that the command line names", async () => {
    const { put, run, home } = user();
    const url = "https://a.example/mcp";
    const folder = join(home, "work");
    const key = new Bun.CryptoHasher("md5").update(url).digest("hex");
    const tokens = { access_token: "at", refresh_token: "rt" };
    const client = { client_id: "c", issuer: "https://auth.example" };
    put(`work/mcp-remote-0.1.38/${key}_tokens.json`, JSON.stringify(tokens));
    put(`work/mcp-remote-0.1.38/${key}_client_info.json`, JSON.stringify(client));
    const args = [`MCP_REMOTE_CONFIG_DIR=${folder}`, "npx", "mcp-remote", url];
    const file = put("x.json", JSON.stringify({ mcpServers: { crm: { command: "env", args } } }));
    const { notes } = await run(importCommand, file, "--all");
    expect(notes).toContainEqual(expect.stringContaining('the sign-in of "crm" comes from'));
  });

  test("an empty header, an invalid name and surplus words are left out and named", async () => {
    const { put, run, servers } = user();
    const url = "https://a.example/mcp";
    const mcpServers = {
      empty: { url, headers: { Authorization: "Bearer ", "X-A": "" } },
      name: { url: `${url}/2`, headers: { "X Y": "a" } },
      words: { command: "npx", args: ["mcp-remote", `${url}/3`, "Bearer", "tok", "-H", "A: b"] },
    };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
    );
    expect(servers()).toEqual({
      empty: { url },
      name: { url: `${url}/2` },
      words: { url: `${url}/3` },
    });
    for (const line of [
      "the header Authorization is dropped: it is empty",
      "the header X-A is dropped: it is empty",
      'the header "X Y" is dropped: no header may have that name',
      "2 words behind the URL: left out, no option",
      "-H is left out: mcp-remote does not know it",
    ])
      expect(out).toContain(`    - ${line}\n`);
  });

  test("letters with marks keep their letter in a name", async () => {
    const { put, run } = user();
    const mcpServers = { Ünïcode: { url: "https://a.example/mcp" } };
    const { out } = await run(importCommand, put("x.json", JSON.stringify({ mcpServers })));
    expect(out).toContain("Ünïcode → Unicode  ");
  });

  test("a server that another process has added meanwhile is never overwritten", async () => {
    const { put, run, refused, servers, atFirstPrint } = user({});
    const file = put("x.json", '{"mcpServers": {"crm": {"url": "https://crm.example/mcp"}}}');
    const meanwhile = (url: string) => () =>
      void put(".codex-mcp-bridge/config.json", JSON.stringify({ servers: { CRM: { url } } }));
    atFirstPrint(meanwhile("https://other.example/mcp"));
    const error = await refused(importCommand, file, "--all");
    expect([error.message, error.hint]).toEqual([
      'config.json now has another server "CRM"',
      "nothing was saved: import again",
    ]);
    expect(servers()).toEqual({ CRM: { url: "https://other.example/mcp" } });
    put(".codex-mcp-bridge/config.json", "{}");
    atFirstPrint(meanwhile("https://crm.example/mcp"));
    await run(importCommand, file, "--all");
    expect(Object.keys(servers())).toEqual(["CRM"]);
  });

  test("a team file that is imported twice adds nothing, whatever the order of its keys", async () => {
    const { put, run } = user();
    const url = "https://a.example/mcp";
    const auth = { clientSecretEnv: "S", clientId: "c", type: "oauth" };
    const other = { type: "oauth", clientId: "c", clientSecretEnv: "S" };
    const file = (name: string, value: object) =>
      put(
        name,
        JSON.stringify({
          format: "codex-mcp-http-bridge/team",
          version: 1,
          servers: { kb: { url, auth: value } },
        }),
      );
    await run(importCommand, file("a.json", auth), "--all");
    const { out } = await run(importCommand, file("b.json", other), "--all");
    expect(out).toContain("nothing to save");
  });

  test("takes the URL and the credential of the other bridges, wherever they stand", async () => {
    const { put, run, servers } = user();
    const url = "https://a.example/mcp";
    const start = (command: string, args: string[], env = {}) => ({ command, args, env });
    const secret = [
      "--client-id",
      "id",
      "--client-secret",
      "s",
      "--token-url",
      "https://t.example/",
    ];
    const mcpServers = {
      first: start("mcp-proxy", [`${url}/1`]),
      last: start("uvx", ["mcp-proxy", "-H", "X-A", "b", "--transport=sse", `${url}/2`]),
      machine: start("mcp-proxy", [...secret, `${url}/3`]),
      variable: start("mcp-proxy", [], { SSE_URL: `${url}/4`, API_ACCESS_TOKEN: "tok" }),
      ca: start("mcp-proxy", ["--verify-ssl", "/ca.pem", `${url}/5`]),
      remote: start("uvx", ["fastmcp-remote", `${url}/6`, "--ignore-tool", "a*", "--auth", "none"]),
      local: start("mcp-proxy", ["--port", "8080", "uvx", "x"]),
    };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
    );
    expect(servers()).toEqual({
      first: { url: `${url}/1` },
      last: { url: `${url}/2`, headers: { "X-A": "b" } },
      machine: {
        url: `${url}/3`,
        auth: { type: "oauth", clientId: "id", clientSecret: "s", grant: "client_credentials" },
      },
      variable: { url: `${url}/4`, token: "tok" },
      ca: { url: `${url}/5`, network: { caFile: "/ca.pem" } },
      remote: { url: `${url}/6`, tools: { deny: ["a*"] }, auth: { type: "none" } },
    });
    expect(out).toContain("it serves a local server over HTTP, so there is no remote server");
  });

  test("a variable that passes the client's value on is neither lost nor taken for its own value", async () => {
    const { put, run, servers } = user();
    const env = { TOKEN: "${TOKEN}", KEY: "${input:key}", OTHER: "canary" };
    const headers = ["--header", "Authorization: Bearer ${TOKEN}", "--header", "X-Key:${KEY}"];
    const args = ["mcp-remote", "https://a.example/mcp", ...headers];
    const text = JSON.stringify({ mcpServers: { kb: { command: "npx", args, env } } });
    const { out } = await run(importCommand, put("x.json", text), "--all", "--json");
    const [row] = JSON.parse(out).found;
    expect(row.notes).toEqual(["the entry does not use OTHER: left out"]);
    expect(row.missing).toEqual([
      { variable: "KEY", label: "input:key" },
      { variable: "TOKEN", label: "TOKEN" },
    ]);
    expect(servers().kb).toMatchObject({ tokenEnv: "TOKEN", headers: { "X-Key": "${KEY}" } });
  });

  test("notes each dropped header, and keeps an Authorization header of another scheme than Bearer", async () => {
    const { put, run, servers } = user();
    const headers = {
      Authorization: "Basic Y2FuYXJ5LWNhbmFyeQ==",
      Accept: "x",
      "Mcp-Session-Id": "y",
    };
    const mcpServers = { crm: { url: "https://crm.example/mcp", headers } };
    const { out } = await run(
      importCommand,
      put("x.json", JSON.stringify({ mcpServers })),
      "--all",
    );
    expect(out).toContain("the header Accept is dropped");
    expect(out).toContain("the header Mcp-Session-Id is dropped");
    expect(out).not.toContain("Y2FuYXJ5");
    const { crm } = servers();
    expect(crm.headers).toEqual({ Authorization: headers.Authorization });
  });

  test("converts every option of mcp-remote that has a key in config.json", async () => {
    const { put, run, servers } = user();
    const args = [
      ...["mcp-remote", "https://crm.example/mcp", "4000", "--host", "127.0.0.1"],
      ...["--callback-path", "/cb", "--resource", "https://crm.example/", "--ipv4"],
      ...["--authorize-param", "audience=a=b", "--connect-timeout", "5", "--body-timeout", "0"],
      ...["--ping-interval", "20", "--disable-cookies", "--enable-proxy", "--protocol", "auto"],
      ...["--static-oauth-client-info", '{"client_id":"id","client_secret":"${SECRET}"}'],
      ...["--static-oauth-client-metadata", '{"token_endpoint_auth_method":"client_secret_post"}'],
      ...["--header", "X-Ref:${REF:-canary}", "--token-endpoint", "https://crm.example/token"],
    ];
    const file = put("x.json", JSON.stringify({ mcpServers: { crm: { command: "npx", args } } }));
    const { out } = await run(importCommand, file, "--all");
    expect(servers().crm).toEqual({
      url: "https://crm.example/mcp",
      auth: {
        type: "oauth",
        clientId: "id",
        clientSecretEnv: "SECRET",
        clientAuth: "client_secret_post",
        redirectUri: "http://127.0.0.1:4000/cb",
        resource: "https://crm.example/",
        authorizeParams: { audience: "a=b" },
      },
      headers: { "X-Ref": "${REF:-canary}" },
      connectTimeoutSec: 5,
      timeoutSec: 86_400,
      keepAliveSec: 20,
      network: { ipFamily: 4 },
      cookies: false,
    });
    expect(out).toContain("--token-endpoint is left out: it needs --client-credentials");
    expect(out).toContain("unset variables: SECRET");
    expect(out).not.toContain("canary");
  });

  test.each([
    [{ url: "https://${HOST}/canary" }, "the variable HOST stands in the scheme or the host"],
    [{ url: "http://8.8.8.8/canary" }, "its address is not private"],
    [{ url: "ftp://x.example/" }, "URL is invalid"],
    [{ url: "https://u:canary@x.example/" }, "without user name"],
    [
      { url: "https://x.example/", headers: { Authorization: "Bearer a canary" } },
      "token is invalid",
    ],
    [
      { url: "https://x.example/", headers: { "X-A": "a\ncanary" } },
      "its header X-A has an invalid value",
    ],
    [
      { url: "https://x.example/", oauth: { clientId: "c", callbackPort: 99_999 } },
      "its entry would be invalid in config.json",
    ],
    [{ command: "npx", args: ["mcp-remote"] }, "without a URL"],
    [{ command: "npx", args: ["mcp-remote", "http://host/mcp"] }, "without --allow-http"],
    [{ command: "npx", args: ["supergateway", "--stdio", "x"] }, "serves a local server"],
    [
      {
        command: "npx",
        args: ["mcp-remote", "https://x.example/", "--static-oauth-client-info", "@gone"],
      },
      "cannot be read: gone",
    ],
  ])("%p cannot be imported, and the reason holds no secret", async (entry, reason) => {
    const { put, run, home } = user();
    const file = put("x.json", JSON.stringify({ mcpServers: { x: entry } }));
    const { out, code } = await run(importCommand, file, "--all");
    expect(code).toBe(0);
    expect(out).toContain("Cannot be imported:");
    expect(out).toContain(reason);
    expect(out).not.toContain("canary");
    expect(existsSync(join(home, ".codex-mcp-bridge/config.json"))).toBe(false);
  });

  test("the error for a malformed, missing or huge file, or a folder, names the path", async () => {
    const { put, refused, home } = user();
    for (const file of [put("broken.json", '{"a": '), join(home, "gone.json"), home]) {
      const error = await refused(importCommand, file);
      expect([error.kind, error.message.includes(file)]).toEqual(["configuration", true]);
    }
    const huge = put("huge.json", "");
    Bun.spawnSync(["truncate", "-s", "65M", huge]);
    expect((await refused(importCommand, huge)).message).toContain("larger than 64 MiB");
  });

  test("a client's malformed file causes a warning, and the other clients' servers are found", async () => {
    const { put, run } = user();
    put(".cursor/mcp.json", "{");
    put(desktop, claude);
    const { out, notes } = await run(importCommand);
    expect(notes[0]).toStartWith("warning: Cursor: ");
    expect(out).toContain("crm");
  });

  test("without any remote server, prints which files were read", async () => {
    const { put, run } = user();
    expect((await run(importCommand)).out).toBe("no client's configuration file was found\n");
    const file = put("x.json", '{"mcpServers": {"l": {"command": "ls"}}}');
    expect((await run(importCommand, file)).out).toBe(
      `no remote server was found in ${file} (1 local server)\n`,
    );
    expect(JSON.parse((await run(importCommand, file, "--json")).out).found).toEqual([]);
  });
});

describe("import --replace", () => {
  const replace = ["--all", "--replace", "--command", bridge];

  test("changes only the client's entry; --undo restores the client's file and config.json", async () => {
    const { put, run, text, servers, home } = user({ old: { url: "https://old.example/mcp" } });
    put(desktop, claude);
    const { out, notes } = await run(importCommand, ...replace);
    expect(out).not.toContain("canary");
    expect(text(desktop)).toBe(`{
  // mine
  "mcpServers": {
    "crm": {"command": "/bin/sh", "args": ["run","--server","crm"], "disabled": false},
    "fs": {"command": "npx", "args": ["-y", "server-filesystem"]}, // stays
  },
}
`);
    expect(text(backup)).toBe(claude);
    expect(statSync(join(home, backup)).mode & 0o777).toBe(0o600);
    expect(notes).toContain(
      `backup of the previous file, its secrets included: ${join(home, backup)}`,
    );
    const undone = await run(importCommand, "--undo");
    expect(undone.out).toBe(`✓ Restored ${join(home, desktop)}\n✓ Removed server "crm"\n`);
    expect(text(desktop)).toBe(claude);
    expect(Object.keys(servers())).toEqual(["old"]);
    expect(readdirSync(join(home, ".config/Claude"))).toEqual(["claude_desktop_config.json"]);
  });

  test("warns once of an executable that is not there", async () => {
    const { put, run } = user();
    const mcpServers = { a: { url: "https://a.example/" }, b: { url: "https://b.example/" } };
    put(".cursor/mcp.json", JSON.stringify({ mcpServers }));
    const { notes } = await run(importCommand, "--all", "--replace", "--command", "/gone");
    expect(notes.filter((note) => note.includes("/gone is not an executable"))).toHaveLength(1);
  });

  test("keeps the client's own keys, and the variables whose values are not in config.json", async () => {
    const { put, run, text } = user();
    const entry = {
      httpUrl: "https://crm.example/mcp",
      headers: { Authorization: "Bearer $CRM" },
      timeout: 5000,
      trust: true,
      includeTools: ["a"],
      env: { KEEP: "1" },
      ...{ authProviderType: "x", transportType: "http", oauthClientId: "c" },
      requestInit: { headers: { A: "canary" } },
    };
    put(".gemini/settings.json", JSON.stringify({ theme: "x", mcpServers: { crm: entry } }));
    await run(importCommand, "--from", "gemini", ...replace);
    expect(JSON.parse(text(".gemini/settings.json"))).toEqual({
      theme: "x",
      mcpServers: {
        crm: {
          timeout: 5000,
          trust: true,
          includeTools: ["a"],
          env: { CRM: "$CRM", KEEP: "1" },
          command: bridge,
          args: ["run", "--server", "crm"],
        },
      },
    });
  });

  test("rewrites entries in TOML, in YAML and in a project of Claude Code", async () => {
    const { put, run, text } = user();
    put(
      ".codex/config.toml",
      '# mine\n[mcp_servers.a]\nurl = "https://a.example/mcp"\nenabled_tools = ["x"]\n\n[features]\nb = true\n',
    );
    put(
      ".continue/config.yaml",
      "name: x # mine\nmcpServers:\n  - name: c\n    url: https://c.example/\n",
    );
    const projects = {
      "/p": { mcpServers: { d: { type: "http", url: "https://d.example/mcp" } } },
    };
    put(".claude.json", JSON.stringify({ projects, numStartups: 5 }));
    await run(importCommand, ...replace);
    const toml = text(".codex/config.toml");
    expect(toml).toStartWith("# mine\n[mcp_servers.a]\n");
    expect(toml).toEndWith("\n[features]\nb = true\n");
    expect(Bun.TOML.parse(toml)).toMatchObject({
      mcp_servers: { a: { command: bridge, args: ["run", "--server", "a"], enabled_tools: ["x"] } },
    });
    expect(toml).not.toContain("url");
    expect(text(".continue/config.yaml")).toBe(
      `name: x # mine\nmcpServers:\n  - name: c\n    command: ${bridge}\n    args:\n      - run\n      - --server\n      - c\n`,
    );
    expect(JSON.parse(text(".claude.json"))).toEqual({
      projects: {
        "/p": {
          mcpServers: { d: { type: "stdio", command: bridge, args: ["run", "--server", "d"] } },
        },
      },
      numStartups: 5,
    });
    const again = await run(importCommand, ...replace);
    expect(again.out).toContain("no remote server was found in");
  });

  test("keeps the timeouts, approval and requirement of Codex's entry, in config.json too", async () => {
    const { put, run, text, servers } = user();
    const kept =
      'startup_timeout_sec = 5\ntool_timeout_sec = 600\nrequired = true\ndefault_tools_approval_mode = "approve"\n';
    put(".codex/config.toml", `[mcp_servers.a]\nurl = "https://a.example/mcp"\n${kept}`);
    const { out } = await run(importCommand, ...replace);
    expect(text(".codex/config.toml")).toContain(kept);
    expect(out).toContain("its approval policy for Codex carries over: approve");
    expect(servers().a).toEqual({
      url: "https://a.example/mcp",
      codex: { approval: "approve", required: true },
      timeoutSec: 598,
    });
  });

  test("an entry that changes between the plan and the write is not rewritten; others are", async () => {
    const { put, run, refused, text, atFirstPrint } = user();
    const file = (url: string, more = "") =>
      put(
        ".cursor/mcp.json",
        `{"mcpServers": {"crm": {"url": "${url}"}}${more === "" ? "" : `, ${more}`}}`,
      );
    file("https://crm.example/mcp");
    atFirstPrint(() => void file("https://new.example/mcp"));
    const error = await refused(importCommand, "--from", "cursor", ...replace);
    expect(error.message).toEndWith("mcp.json has changed since it was read");
    expect(error.hint).toBe('"crm" is another entry now: import again');
    expect(text(".cursor/mcp.json")).toContain("https://new.example/mcp");
    file("https://crm.example/mcp");
    atFirstPrint(() => void file("https://crm.example/mcp", '"b": 1'));
    await run(importCommand, "--from", "cursor", ...replace);
    expect(JSON.parse(text(".cursor/mcp.json"))).toEqual({
      mcpServers: { crm: { command: bridge, args: ["run", "--server", "crm"] } },
      b: 1,
    });
  });

  test.each([
    [".codex/config.toml", '[profiles.p.mcp_servers.a]\nurl = "https://a.example/mcp"\n'],
    [".continue/config.yaml", 'mcpServers: [{name: a, url: "https://a.example/mcp"}]\n'],
  ])("saves nothing if an entry of %s cannot be rewritten", async (name, content) => {
    const { put, refused, home } = user();
    put(name, content);
    await refused(importCommand, ...replace);
    expect(existsSync(join(home, ".codex-mcp-bridge"))).toBe(false);
  });

  test("--dry-run shows the change without its secrets, and writes no file", async () => {
    const { put, run, text, home } = user();
    put(desktop, claude);
    const { out } = await run(importCommand, ...replace, "--dry-run");
    expect(out).toContain(`+    "crm": {"command": "/bin/sh"`);
    expect(out).not.toContain("canary");
    expect(text(desktop)).toBe(claude);
    expect(existsSync(join(home, ".codex-mcp-bridge/config.json"))).toBe(false);
  });

  test("writes through a symlink; for a read-only file it fails and leaves no backup", async () => {
    const { put, run, refused, text, home } = user();
    const real = put(
      "dotfiles/mcp.json",
      '{"mcpServers": {"kb": {"url": "https://kb.example/mcp"}}}',
    );
    mkdirSync(join(home, ".cursor"));
    symlinkSync(real, join(home, ".cursor/mcp.json"));
    await run(importCommand, "--from", "cursor", ...replace);
    expect(text("dotfiles/mcp.json")).toContain(bridge);
    const path = put(desktop, claude);
    chmodSync(path, 0o444);
    const error = await refused(importCommand, "--from", "claude-desktop", ...replace);
    expect([error.kind, error.message]).toEqual(["configuration", `${path} is read-only`]);
    expect(text(desktop)).toBe(claude);
    expect(existsSync(join(home, backup))).toBe(false);
  });

  test("a file of no known client needs --from", async () => {
    const { put, refused, servers, home } = user();
    const file = put("x.json", claude);
    const error = await refused(importCommand, file, ...replace);
    expect([error.kind, error.hint]).toEqual(["usage", "add --from CLIENT"]);
    expect(existsSync(join(home, ".codex-mcp-bridge/config.json")) && servers()).toBe(false);
  });

  test("--undo stops if a file was changed since the import, or if there is no import", async () => {
    const { put, run, refused, servers } = user();
    expect((await refused(importCommand, "--undo")).message).toBe("there is no import to undo");
    put(desktop, claude);
    await run(importCommand, ...replace);
    put(desktop, "{}");
    expect((await refused(importCommand, "--undo")).message).toContain("was changed since");
    expect(Object.keys(servers())).toEqual(["crm"]);
    expect((await refused(importCommand, "--undo", "--all")).kind).toBe("usage");
  });
});
