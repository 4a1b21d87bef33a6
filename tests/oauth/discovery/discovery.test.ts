import { expect, test } from "bun:test";
import { isSameIssuer } from "../../../src/oauth/core/grant.ts";
import type { GuardedHttp } from "../../../src/oauth/core/ssrf-guard.ts";
import {
  type DiscoveryRequest,
  describesServer,
  discover,
} from "../../../src/oauth/discovery/discovery.ts";
import { fetchIssuer, metadataUrls } from "../../../src/oauth/discovery/issuer.ts";
import { Redactor } from "../../../src/platform/redact.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { documents } from "../../support/oauth-inside.ts";

const redactor = new Redactor();
const signal = new AbortController().signal;
const server = new URL("https://mcp.example.com/team/mcp");
const wellKnown = "https://mcp.example.com/.well-known";
const issuer = "https://auth.example.com";
const metadata = (name: string, more: object = {}) => ({
  issuer: name,
  authorization_endpoint: `${name}/authorize`,
  token_endpoint: `${name}/token`,
  ...more,
});
const resource = {
  resource: server.href,
  authorization_servers: [issuer],
  scopes_supported: ["mcp"],
};
const issuerAt = { [`${issuer}/.well-known/oauth-authorization-server`]: metadata(issuer) };

const sleep = () => Promise.resolve();

function find(known: Record<string, unknown>, more: Partial<DiscoveryRequest> = {}) {
  const http = documents(known);
  const request = { http, sleep, server, auth: {}, redactor, sendsSecret: false, signal };
  return { http, found: discover({ ...request, ...more }) };
}

const fetchFrom = (http: GuardedHttp, isExact = false) =>
  fetchIssuer(issuer, { http, redactor, sleep }, isExact, signal);

test("the challenge's resource_metadata comes first", async () => {
  const place = "https://mcp.example.com/elsewhere";
  const { http, found } = find({ [place]: resource, ...issuerAt }, { resourceMetadata: place });
  expect((await found).issuer.issuer).toBe(issuer);
  expect(http.asked[0]).toBe(place);
});

test("a path alone as resource_metadata is one of the server's host", async () => {
  const place = "https://mcp.example.com/elsewhere";
  const { found } = find({ [place]: resource, ...issuerAt }, { resourceMetadata: "/elsewhere" });
  expect((await found).issuer.issuer).toBe(issuer);
  const foreign = find({ [place]: resource }, { resourceMetadata: "//evil.example.com/elsewhere" });
  expect(foreign.found).rejects.toMatchObject({ kind: "refused" });
});

test("metadata below the path of an issuer are found, after the places of the specification", async () => {
  const tenant = "https://auth.example.com/tenant";
  const place = `${tenant}/.well-known/oauth-authorization-server`;
  const http = documents({ [place]: metadata(tenant) });
  const found = await fetchIssuer(tenant, { http, redactor, sleep }, false, signal);
  expect(found?.issuer).toBe(tenant);
  expect(http.asked).toEqual([...metadataUrls(new URL(tenant)).map(({ href }) => href), place]);
});

test("without a challenge, resource metadata are fetched under the path, then at the root", async () => {
  const { http, found } = find({
    [`${wellKnown}/oauth-protected-resource`]: { ...resource, resource: "https://mcp.example.com" },
    ...issuerAt,
  });
  expect(await found).toMatchObject({
    resource: "https://mcp.example.com",
    resourceScopes: ["mcp"],
  });
  expect(http.asked.slice(0, 2)).toEqual([
    `${wellKnown}/oauth-protected-resource/team/mcp`,
    `${wellKnown}/oauth-protected-resource`,
  ]);
});

test.each([
  ["https://mcp.example.com/team/mcp", true],
  ["https://mcp.example.com/team/mcp/", true],
  ["https://mcp.example.com/team", true],
  ["https://mcp.example.com", true],
  ["https://mcp.example.com/te", false],
  ["https://mcp.example.com/other", false],
  ["https://evil.example.com/team/mcp", false],
  ["http://mcp.example.com/team/mcp", false],
  ["https://user@mcp.example.com/team/mcp", false],
  ["nothing", false],
])("metadata of the resource %p describe the server: %p", (name, expected) => {
  expect(describesServer(name, server)).toBe(expected);
});

test("metadata of another resource are refused", async () => {
  const place = `${wellKnown}/oauth-protected-resource/team/mcp`;
  const { found } = find({
    [place]: { ...resource, resource: "https://evil.example.com" },
    ...issuerAt,
  });
  expect(found).rejects.toMatchObject({ kind: "refused" });
});

test("an issuer's metadata are fetched in the order of the specification", () => {
  const places = (name: string) => metadataUrls(new URL(name)).map((url) => url.pathname);
  expect(places("https://a.example/tenant/")).toEqual([
    "/.well-known/oauth-authorization-server/tenant",
    "/.well-known/openid-configuration/tenant",
    "/tenant/.well-known/openid-configuration",
  ]);
  expect(places("https://a.example")).toEqual([
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
  ]);
});

test.each([
  [`${issuer}/`, issuer, true],
  [issuer, `${issuer}/`, true],
  [`${issuer}/tenant/`, `${issuer}/tenant`, false],
  ["https://AUTH.example.com", issuer, false],
  ["https://auth.example.com:443", issuer, false],
])("%p and %p are the same issuer: %p", (one, other, expected) => {
  expect(isSameIssuer(one, other)).toBe(expected);
});

test("metadata of another issuer are refused (mix-up); a trailing slash may differ, and the metadata's string is kept", async () => {
  const place = `${issuer}/.well-known/oauth-authorization-server`;
  const foreign = documents({ [place]: metadata("https://evil.example.com") });
  expect(fetchFrom(foreign)).rejects.toMatchObject({
    kind: "refused",
  });
  const slash = documents({ [place]: metadata(`${issuer}/`) });
  expect((await fetchFrom(slash))?.issuer).toBe(`${issuer}/`);
});

test("a server of 2025-03-26 is its own issuer, with metadata or with the default endpoints", async () => {
  const origin = "https://mcp.example.com";
  const withMetadata = find({
    [`${wellKnown}/oauth-authorization-server`]: metadata(origin, {
      token_endpoint: `${origin}/t`,
    }),
  });
  expect((await withMetadata.found).issuer.tokenEndpoint).toBe(`${origin}/t`);
  const without = find({});
  expect((await without.found).issuer).toMatchObject({
    issuer: origin,
    authorizationEndpoint: `${origin}/authorize`,
    tokenEndpoint: `${origin}/token`,
    registrationEndpoint: `${origin}/register`,
    pkceMethods: ["S256"],
  });
});

test.each([
  ["javascript:alert(1)"],
  ["file:///etc/passwd"],
  ["https://a.example/$(touch x)"],
  ["https://a.example/`x`"],
  ["https://a.example/a|b"],
  ['https://a.example/"&calc&"'],
  ["https://user:pw@a.example/authorize"],
  ["https://a.example/\u001b[31m"],
  ["--help"],
  [42],
])("the endpoint %p is refused", async (endpoint) => {
  const place = `${issuer}/.well-known/oauth-authorization-server`;
  const http = documents({ [place]: metadata(issuer, { authorization_endpoint: endpoint }) });
  expect(fetchFrom(http)).rejects.toMatchObject({
    kind: "refused",
  });
});

test("the resource parameter is the metadata's string, else the URL without its query; false omits it", async () => {
  const place = `${wellKnown}/oauth-protected-resource/team/mcp`;
  const known = {
    [place]: { ...resource, resource: "https://mcp.example.com/team/mcp/" },
    ...issuerAt,
  };
  expect((await find(known).found).resource).toBe("https://mcp.example.com/team/mcp/");
  const secret = new URL("https://mcp.example.com/?key=secret");
  expect((await find({}, { server: secret }).found).resource).toBe("https://mcp.example.com");
  expect(await find(known, { auth: { resource: false } }).found).not.toHaveProperty("resource");
  expect((await find(known, { auth: { resource: "urn:x" } }).found).resource).toBe("urn:x");
});

test("among several issuers, the configured issuer is used, else the pinned issuer, else the first", async () => {
  const other = "https://other.example.com";
  const place = `${wellKnown}/oauth-protected-resource/team/mcp`;
  const known = {
    [place]: { ...resource, authorization_servers: [issuer, other] },
    ...issuerAt,
    [`${other}/.well-known/oauth-authorization-server`]: metadata(other),
  };
  expect((await find(known).found).issuer.issuer).toBe(issuer);
  expect((await find(known, { pinned: other }).found).issuer.issuer).toBe(other);
  expect((await find(known, { auth: { issuer: other } }).found).issuer.issuer).toBe(other);
});

const failing: [string, unknown, string][] = [
  ["answers 500", 500, "answered 500"],
  ["answers 400", 400, "answered 400"],
  ["is a page", () => new Response("<html>not found</html>"), "no JSON object"],
  ["is cut short", () => new Response('{"resource": "https://mcp'), "no JSON object"],
  [
    "is redirected",
    () => Promise.reject(new BridgeError("refused", "a redirect, which is not followed")),
    "which is not followed",
  ],
  [
    "is silent",
    () => Promise.reject(new BridgeError("timeout", "did not answer within 12 s")),
    "did not answer",
  ],
  [
    "describes another server",
    { ...resource, resource: "https://evil.example.com" },
    "metadata describe",
  ],
];

test.each(failing)(
  "resource metadata whose first place %s are taken from the next one",
  async (_, answer) => {
    const first = `${wellKnown}/oauth-protected-resource/team/mcp`;
    const root = `${wellKnown}/oauth-protected-resource`;
    const { found } = find({
      [first]: answer,
      [root]: { ...resource, resource: "https://mcp.example.com" },
      ...issuerAt,
    });
    expect((await found).resource).toBe("https://mcp.example.com");
  },
);

test.each(failing)(
  "an issuer's metadata are read from the next well-known URL if the first %s",
  async (_, answer) => {
    const wrong = typeof answer === "object" ? metadata("https://evil.example.com") : answer;
    const http = documents({
      [`${issuer}/.well-known/oauth-authorization-server`]: wrong,
      [`${issuer}/.well-known/openid-configuration`]: metadata(issuer),
    });
    expect((await fetchFrom(http))?.issuer).toBe(issuer);
  },
);

test.each(failing)(
  "where every place of the resource metadata %s, all are told and no origin is taken for the issuer",
  async (_, answer, words) => {
    const { http, found } = find({
      [`${wellKnown}/oauth-protected-resource/team/mcp`]: answer,
      [`${wellKnown}/oauth-protected-resource`]: answer,
    });
    const error = await found.catch((reason) => reason);
    expect(error.message).toContain(words);
    expect(error.message).toContain(
      "mcp.example.com/.well-known/oauth-protected-resource/team/mcp:",
    );
    expect(error.message).toContain("mcp.example.com/.well-known/oauth-protected-resource:");
    expect(http.asked.some((url) => url.includes("authorization-server"))).toBe(false);
  },
);

test.each([401, 403, 404, 405, 410])("%p means that there is no document", async (status) => {
  const places = ["/team/mcp", ""].map((path) => `${wellKnown}/oauth-protected-resource${path}`);
  const { found } = find(Object.fromEntries(places.map((place) => [place, status])));
  expect((await found).issuer.issuer).toBe("https://mcp.example.com");
});

test("with auth.issuer set, HTML pages in place of resource metadata are ignored", async () => {
  const page = () => new Response("<html>");
  const places = {
    [`${wellKnown}/oauth-protected-resource/team/mcp`]: page,
    [`${wellKnown}/oauth-protected-resource`]: page,
    ...issuerAt,
  };
  expect((await find(places, { auth: { issuer } }).found).issuer.issuer).toBe(issuer);
  const foreign = { ...resource, resource: "https://evil.example.com" };
  const other = { ...places, [`${wellKnown}/oauth-protected-resource`]: foreign };
  expect(find(other, { auth: { issuer } }).found).rejects.toThrow("metadata describe");
});

test("the metadata of an issuer with a path may be at the root of its host, and name that root as issuer", async () => {
  const tenant = `${issuer}/tenant`;
  const root = `${issuer}/.well-known/oauth-authorization-server`;
  const read = (name: string, isExact: boolean) =>
    fetchIssuer(
      tenant,
      { http: documents({ [root]: metadata(name) }), redactor, sleep },
      isExact,
      signal,
    );
  expect((await read(tenant, true))?.issuer).toBe(tenant);
  expect((await read(issuer, false))?.issuer).toBe(issuer);
  // The user named the tenant: the host's own issuer is another one.
  expect(read(issuer, true)).rejects.toMatchObject({ kind: "refused" });
  expect(read("https://evil.example.com", false)).rejects.toMatchObject({ kind: "refused" });
});

const broken: [string, unknown, string][] = [
  ["answers 503", 503, "server-error"],
  ["answers 400", 400, "refused"],
  ["shows a page", () => new Response("<html>sign in to the wifi</html>"), "bad-answer"],
  ["names another issuer", metadata("https://third.example.com"), "refused"],
];

test.each(broken)(
  "where an authorization server %s the next one is used, but gets no secret",
  async (_, answer, kind) => {
    const other = "https://other.example.com";
    const known = {
      [`${wellKnown}/oauth-protected-resource/team/mcp`]: {
        ...resource,
        authorization_servers: [issuer, other],
      },
      [`${issuer}/.well-known/oauth-authorization-server`]: answer,
      [`${other}/.well-known/oauth-authorization-server`]: metadata(other),
    };
    expect((await find(known).found).issuer.issuer).toBe(other);
    const { http, found } = find(known, { sendsSecret: true });
    expect(await found.catch((error) => error.kind)).toBe(kind);
    expect(http.asked.some((url) => url.startsWith(other))).toBe(false);
  },
);
