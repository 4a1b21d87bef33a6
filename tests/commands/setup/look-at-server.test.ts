import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { lookAtServer } from "../../../src/commands/setup/look-at-server.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";
import { serveHttp } from "../../support/serve-http.ts";
import { settingsOf } from "../../support/settings.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

const look = (url: string, waitMs?: number) =>
  lookAtServer(
    settingsOf({ url }, folder.path),
    testContext({ env: { HOME: folder.path } }),
    waitMs,
  );
const answering = (status: number, headers: Record<string, string>, body = "x") =>
  serveHttp(() => new Response(body, { status, headers })).href;
const html = { "content-type": "text/html; charset=utf-8" };

test.each([
  ["an open server", 200, { "content-type": "application/json" }, "none", "without a sign-in"],
  ["a 401 alone", 401, {}, "token", "asks for a token"],
  ["a Bearer challenge without metadata", 401, bearer("x"), "token", "asks for a token"],
  ["Negotiate", 401, { "www-authenticate": "Negotiate" }, undefined, "scheme negotiate"],
  ["Basic", 401, { "www-authenticate": 'Basic realm="x"' }, undefined, "scheme basic"],
  ["a page", 200, html, undefined, "a captive portal answered"],
  ["a page of a firewall", 403, html, undefined, "A firewall answered 403"],
  ["a challenge of a firewall", 403, { "cf-mitigated": "challenge" }, undefined, "A firewall"],
  ["a redirect", 302, { location: "https://sso.example/in?s=canary" }, undefined, '"sso.example"'],
  ["a wrong path", 404, {}, undefined, "answered 404: check the path"],
] as const)("%s is recognised", async (_, status, headers, wants, words) => {
  const { wants: found, finding } = await look(answering(status, headers));
  expect(found).toBe(wants);
  expect(finding).toContain(words);
  expect(finding).not.toContain("canary");
});

function bearer(realm: string) {
  return { "www-authenticate": `Bearer realm="${realm}"` };
}

test("OAuth is proposed for a server whose metadata names an authorization server, and the finding names that host", async () => {
  const { href, origin } = serveHttp((request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/.well-known/oauth-protected-resource"))
      return Response.json({ resource: href, authorization_servers: [origin] });
    if (pathname.startsWith("/.well-known/oauth-authorization-server"))
      return Response.json({
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        response_types_supported: ["code"],
        code_challenge_methods_supported: ["S256"],
      });
    return new Response(null, { status: 401, headers: bearer("x") });
  });
  const { wants, finding } = await look(href);
  expect([wants, finding]).toEqual([
    "oauth",
    `The server asks for a sign-in with OAuth at ${new URL(origin).host}.`,
  ]);
});

test("a server that does not answer is given up after the timeout", async () => {
  const { finding } = await look(serveHttp(() => new Promise(() => {})).href, 50);
  expect(finding).toBe("The server did not answer within 0.05 s.");
});

test("the finding names a port where nothing listens, and plain http to a TLS port", async () => {
  expect((await look("http://127.0.0.1:1/mcp")).finding).toContain("could not be reached");
  const file = (name: string) =>
    readFileSync(join(import.meta.dir, "../../fault/certificates", name));
  const tls = { key: file("selfsigned.key"), cert: file("selfsigned.pem") };
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls, fetch: () => new Response() });
  const { finding } = await look(`http://127.0.0.1:${server.port}/mcp`);
  expect(finding).toContain("Try https://");
});
