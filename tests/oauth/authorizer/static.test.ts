import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServerSettings } from "../../../src/config/settings.ts";
import { StaticAuthorizer } from "../../../src/oauth/authorizer/static.ts";
import { Redactor } from "../../../src/platform/redact.ts";
import type { BridgeError } from "../../../src/wire/errors.ts";
import { commandLineFor } from "../../../src/wire/program-facts.ts";
import { ownFolder } from "../../support/folder.ts";
import { settingsOf } from "../../support/settings.ts";

const signal = new AbortController().signal;
let folder: ReturnType<typeof ownFolder>;
let env: Record<string, string>;
let redactor: Redactor;
beforeEach(() => {
  folder = ownFolder();
  env = { PATH: "/usr/bin:/bin" };
  redactor = new Redactor();
});
afterEach(() => folder[Symbol.dispose]());

function settings(entry: object, url = "https://kb.example.com/mcp"): ServerSettings {
  return settingsOf({ url, ...entry }, folder.path);
}

/** An authorizer and one request's worth of it. */
function authorizer(entry: object, reload: () => ServerSettings | undefined = () => undefined) {
  const made = new StaticAuthorizer(settings(entry), { env, redactor, reload });
  const request = { method: "POST", url: new URL("https://kb.example.com/mcp") };
  return {
    headers: () => made.headers(request, signal),
    refused: (sent: Record<string, string>, answer: { status?: number; body?: string } = {}) =>
      made.refused({ status: 401, wwwAuthenticate: null, body: "", sent, ...answer }, signal),
  };
}
const fails = (promise: Promise<unknown>): Promise<BridgeError> =>
  promise.then(
    () => {
      throw new Error("nothing was thrown");
    },
    (error) => error,
  );
const file = (name: string, text: string, mode = 0o600) => {
  writeFileSync(join(folder.path, name), text, { mode });
  return join(folder.path, name);
};
/** A command that prints what a file holds and counts its runs in another. */
const counting = () => ["/bin/sh", "-c", `echo x >> ${folder.path}/runs; cat ${folder.path}/out`];
const runs = () => readFileSync(join(folder.path, "runs"), "utf8").length / 2;

describe("a configured credential", () => {
  test("of each type is sent as a bearer token", async () => {
    Object.assign(env, { TOKEN: " from-variable\n" });
    file("t", "from-file\n");
    const rows: [object, string][] = [
      [{ token: " literal " }, "Bearer literal"],
      [{ access_token: "python" }, "Bearer python"],
      [{ tokenEnv: "TOKEN" }, "Bearer from-variable"],
      [{ tokenFile: "t" }, "Bearer from-file"],
      [{ tokenCommand: ["echo", "from-command"] }, "Bearer from-command"],
    ];
    for (const [entry, expected] of rows) {
      expect(await authorizer(entry).headers()).toEqual({ Authorization: expected });
    }
  });

  test("is sent with the configured headers, whose variables are expanded", async () => {
    Object.assign(env, { CRM_KEY: "key-0123" });
    const headers = { "X-Team": "blue", "X-Key": `a \${CRM_KEY} b` };
    const headersCommand = ["echo", '{"x-team":"red","X-More":"more"}'];
    expect(await authorizer({ token: "t", headers, headersCommand }).headers()).toEqual({
      Authorization: "Bearer t",
      "X-Key": "a key-0123 b",
      "x-team": "red",
      "X-More": "more",
    });
  });

  test("may be an Authorization header alone", async () => {
    Object.assign(env, { BASIC: "dXNlcjpwYXNz" });
    const headers = { Authorization: `Basic \${BASIC}` };
    expect(await authorizer({ headers }).headers()).toEqual({
      Authorization: "Basic dXNlcjpwYXNz",
    });
  });

  test("that is missing or of type none adds no header", async () => {
    expect(await authorizer({}).headers()).toEqual({});
    expect(await authorizer({ auth: { type: "none" } }).headers()).toEqual({});
  });

  test("is redacted as soon as it is read", async () => {
    Object.assign(env, { HEADER_KEY: "canary-header-1" });
    const entry = {
      token: "canary-token-1",
      headers: { X: `Key \${HEADER_KEY}` },
      headersCommand: ["echo", '{"Y":"canary-printed-1"}'],
    };
    const server = settings(entry, "https://kb.example.com/mcp?key=canary-query-1");
    const made = new StaticAuthorizer(server, { env, redactor, reload: () => undefined });
    await made.headers({}, signal);
    const text = "canary-token-1 canary-header-1 canary-printed-1 canary-query-1";
    expect(redactor.redact(text)).toBe("... ... ... ...");
  });

  test("is read once for all waiting calls, and kept", async () => {
    file("out", "tok");
    const { headers } = authorizer({ tokenCommand: counting() });
    await Promise.all(Array.from({ length: 20 }, headers));
    await headers();
    expect(runs()).toBe(1);
  });

  test("that failed is read again by the next call", async () => {
    const { headers } = authorizer({ tokenCommand: counting() });
    expect((await fails(headers())).kind).toBe("configuration");
    file("out", "tok");
    expect(await headers()).toEqual({ Authorization: "Bearer tok" });
  });

  test.each([
    [
      "an unset variable",
      { tokenEnv: "NONE" },
      'tokenEnv of server "kb": the variable NONE is not set',
    ],
    [
      "an unset variable of a header",
      { headers: { X: `\${NONE}` } },
      'header X of server "kb": the variable NONE is not set',
    ],
    ["a missing file", { tokenFile: "none" }, 'tokenFile of server "kb": there is no file'],
    [
      "an empty output",
      { tokenCommand: ["true"] },
      'tokenCommand of server "kb": expected a token that is not empty',
    ],
    [
      "a page for a token",
      { tokenCommand: ["echo", "canary <html>"] },
      'tokenCommand of server "kb": expected a token of visible',
    ],
    [
      "headers that are no JSON",
      { headersCommand: ["echo", "canary"] },
      'headersCommand of server "kb" printed no JSON',
    ],
    [
      "headers in a list",
      { headersCommand: ["echo", '["canary"]'] },
      'headersCommand of server "kb" printed no JSON object',
    ],
    [
      "a number for a header",
      { headersCommand: ["echo", '{"X":1}'] },
      "printed a header value that is not text",
    ],
    [
      "a line end in a header",
      { headersCommand: ["echo", '{"X":"a\\nb"}'] },
      "printed a header value that is not text",
    ],
    [
      "a reserved header",
      { headersCommand: ["echo", '{"Host":"canary"}'] },
      "printed a header that is not allowed",
    ],
    [
      "Authorization twice",
      { token: "t", headersCommand: ["echo", '{"authorization":"canary"}'] },
      "beside another credential",
    ],
  ])("that is %s is a configuration error without the value", async (_, entry, message) => {
    const error = await fails(authorizer(entry).headers());
    expect(error.kind).toBe("configuration");
    expect(error.message).toContain(message);
    expect(`${error.message} ${error.hint}`).not.toContain("canary");
  });

  test("of a variable with a line end is refused without its value", async () => {
    Object.assign(env, { KEY: "canary\r\nX: y" });
    const error = await fails(authorizer({ headers: { X: `\${KEY}` } }).headers());
    expect(error.message).toBe('header X of server "kb": the variable holds no header value');
  });

  test("in a file that other users may read is refused", async () => {
    const path = file("t", "tok", 0o644);
    const error = await fails(authorizer({ tokenFile: "t" }).headers());
    expect(error.hint).toBe(`run chmod 600 ${path}`);
  });

  test("does not delay a call that is cancelled", async () => {
    const made = new StaticAuthorizer(settings({ tokenCommand: ["sleep", "0.2"] }), {
      env,
      redactor,
      reload: () => undefined,
    });
    const controller = new AbortController();
    const waiting = fails(made.headers({}, controller.signal));
    controller.abort(new Error("cancelled"));
    expect((await waiting).message).toBe("cancelled");
    expect((await fails(made.headers({}, controller.signal))).message).toBe("cancelled");
  });
});

describe("after a 401", () => {
  test("a changed token file is read, and the call may be repeated", async () => {
    file("t", "old");
    const { headers, refused } = authorizer({ tokenFile: "t" });
    const sent = await headers();
    file("t", "new");
    expect(await headers()).toEqual(sent);
    expect(await refused(sent)).toBe(true);
    expect(await headers()).toEqual({ Authorization: "Bearer new" });
  });

  test("commands run again, once for all calls that were refused together", async () => {
    file("out", "old");
    const { headers, refused } = authorizer({ tokenCommand: counting() });
    const sent = await headers();
    file("out", "new");
    const again = await Promise.all(Array.from({ length: 10 }, () => refused(sent)));
    expect(new Set(again)).toEqual(new Set([true]));
    expect(runs()).toBe(2);
    // One that was still on its way with the old token needs no third run.
    expect(await refused(sent)).toBe(true);
    expect(runs()).toBe(2);
  });

  test("the token of a changed configuration is used", async () => {
    let now = settings({ token: "old" });
    const { headers, refused } = authorizer({ token: "old" }, () => now);
    const sent = await headers();
    now = settings({ tokenCommand: ["echo", "new"] });
    expect(await refused(sent)).toBe(true);
    expect(await headers()).toEqual({ Authorization: "Bearer new" });
  });

  test("a credential for another origin is not used", async () => {
    const other = settings({ token: "canary" }, "https://evil.example.com/mcp");
    const { headers, refused } = authorizer({ token: "old" }, () => other);
    const sent = await headers();
    expect((await fails(refused(sent))).kind).toBe("unauthorized");
    expect(await headers()).toEqual(sent);
  });

  test("the call is not repeated if no credential changed", async () => {
    Object.assign(env, { TOKEN: "abc" });
    const setup = "codex-mcp-http-bridge setup --server kb";
    const rows: [object, string][] = [
      [{ token: "t" }, `the token may have expired: run ${setup} to put in a new one`],
      [{ tokenEnv: "TOKEN" }, "check the token in the variable TOKEN"],
      [{ tokenFile: file("t", "t") }, `check the token in ${folder.path}/t`],
      [{ tokenCommand: ["echo", "t"] }, "check what the command echo prints"],
      [{}, `the server wants a credential: run ${setup}`],
      [{ auth: { type: "none" } }, `the server wants a credential: run ${setup}`],
      [
        { headers: { X: "y" } },
        `check the headers of the server in the configuration, or run ${setup}`,
      ],
    ];
    for (const [entry, hint] of rows) {
      const { headers, refused } = authorizer(entry);
      const error = await fails(refused(await headers()));
      expect([error.kind, error.exitCode, error.status]).toEqual(["unauthorized", 4, 401]);
      expect(error.message).toBe('Authentication failed: server "kb" answered 401');
      expect(error.hintText(commandLineFor(undefined))).toBe(hint);
    }
  });
});

test("the hint for a server named by URL names the client's entry", async () => {
  const hintOf = async (entry: object) => {
    const server = { ...settings(entry), adHoc: { withheld: [] } };
    const made = new StaticAuthorizer(server, { env, redactor, reload: () => undefined });
    const refusal = { status: 401, wwwAuthenticate: null, body: "" };
    const request = { method: "POST", url: server.url };
    const sent = await made.headers(request, signal);
    return (await fails(made.refused({ ...refusal, sent }, signal))).hintText(
      commandLineFor(undefined),
    );
  };
  expect(await hintOf({})).toBe(
    "the server wants a credential: add --token-env VAR or --header to the client's entry, or configure the server by codex-mcp-http-bridge setup NAME --from kb",
  );
  expect(await hintOf({ headers: { X: "y" } })).toBe("check the headers in the client's entry");
});

test("a 403 is forbidden at once, with the server's words", async () => {
  const { headers, refused } = authorizer({ token: "t" });
  const error = await fails(refused(await headers(), { status: 403, body: '{"message":"no"}' }));
  expect([error.kind, error.exitCode]).toEqual(["forbidden", 1]);
  expect(error.message).toBe('Access forbidden: server "kb" answered 403 and said: no');
});
