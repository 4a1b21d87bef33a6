import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../../support/folder.ts";
import {
  type BridgeHome,
  bridgeHome,
  callTool,
  signIn,
  startProgram,
  startRun,
} from "../../support/oauth-bridge.ts";
import { type StatelessClientOptions, startFront } from "../../support/oauth-front.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ResourceOptions, startProtectedServer } from "../../support/oauth-resource.ts";
import { approve, approveDevice } from "../../support/oauth-user.ts";
import { runProgram } from "../../support/program.ts";

// Of the 36 requirements each has tests that name it; those of this file are the ones that no other is about.
test("each of the 36 requirements has a test that names it", async () => {
  const named = new Set<number>();
  const root = join(import.meta.dir, "../..");
  for (const file of new Bun.Glob("{oauth,upstream,e2e}/**/*.test.ts").scanSync(root)) {
    const text = await Bun.file(join(root, file)).text();
    for (const [, numbers] of text.matchAll(/["`]requirements? (\d[\d, and]*):/g))
      for (const [number] of numbers!.matchAll(/\d+/g)) named.add(Number(number));
  }
  const all = Array.from({ length: 36 }, (_, index) => index + 1);
  expect(all.filter((number) => !named.has(number))).toEqual([]);
});

let provider: AuthorizationServer;

beforeAll(async () => {
  provider = await startProvider({ deviceIntervalSec: 1 });
});

afterAll(() => provider.close());

async function withServer(options: ResourceOptions, work: (home: BridgeHome) => Promise<void>) {
  using folder = ownFolder();
  const server = startProtectedServer(provider, options);
  try {
    await work(await bridgeHome(folder.path, { url: server.url }));
  } finally {
    await server.close();
  }
}

async function withFront(
  options: StatelessClientOptions,
  work: (home: BridgeHome, front: ReturnType<typeof startFront>) => Promise<void>,
  auth: object = { grant: "device_code" },
) {
  using folder = ownFolder();
  const front = startFront(provider, options);
  const entry = { url: front.url, auth: { type: "oauth", scopes: ["mcp"], ...auth } };
  try {
    await work(await bridgeHome(folder.path, entry), front);
  } finally {
    await front.close();
  }
}

async function callOnce(home: BridgeHome): Promise<string> {
  const child = await startRun(home);
  const result = await callTool(child);
  await child.end();
  return result;
}

async function signInByDevice(home: BridgeHome): Promise<void> {
  const login = startProgram(["login", "-s", "kb"], home.env);
  const [, page, code] = await login.seen(/Open (\S+) on any device and type in the code (\S+)/);
  await approveDevice(page!, code!);
  const { code: end, stderr } = await login.ended;
  expect({ end, stderr: end === 0 ? "" : stderr }).toEqual({ end: 0, stderr: "" });
}

/** Metadata at a place that only the challenge names. */
function oddPlace(challenges: (place: string) => string[]): ResourceOptions {
  return {
    intercept(request, { origin, pathname }) {
      if (pathname === "/odd") {
        const resource = `${origin}/mcp`;
        const scopes_supported = ["mcp"];
        return Response.json({
          resource,
          scopes_supported,
          authorization_servers: [provider.issuer],
        });
      }
      if (pathname.startsWith("/.well-known/")) return new Response(null, { status: 404 });
      if (request.headers.has("authorization")) return undefined;
      const headers = new Headers();
      for (const line of challenges(`${origin}/odd`)) headers.append("www-authenticate", line);
      return new Response(null, { status: 401, headers });
    },
  };
}

test.each<[string, (place: string) => string[]]>([
  ["after another scheme", (place) => [`Basic realm="a, b", Bearer resource_metadata="${place}"`]],
  ["in any letter case", (place) => [`bEARER error="x" ,, RESOURCE_METADATA = "${place}"`]],
  ["with escapes", (place) => [`Bearer resource_metadata="${place.replaceAll("/", "\\/")}"`]],
  ["after a token68", (place) => [`Negotiate YWJj==, Bearer resource_metadata="${place}"`]],
  [
    "beside a quoted one",
    (place) => [
      `Bearer realm="resource_metadata=\\"http://127.0.0.1:1/\\"", resource_metadata="${place}"`,
    ],
  ],
  ["in a second header", (place) => ["Basic", `Bearer resource_metadata="${place}"`]],
])(
  "requirement 1: the metadata that a challenge names %s lead to a sign-in",
  async (_, challenges) => {
    await withServer(oddPlace(challenges), async (home) => {
      await signIn(home);
      expect(await callOnce(home)).toBe("done");
    });
  },
);

test("requirement 2: a server that sends no challenge is signed in to by its well-known metadata", async () => {
  await withServer({ challenge: () => undefined }, async (home) => {
    await signIn(home);
    expect(await callOnce(home)).toBe("done");
  });
});

test("requirement 3: a resource at a parent path is asked for as its metadata name it", async () => {
  const parent = ({ resource, ...others }: Record<string, unknown>) => ({
    ...others,
    resource: new URL("/team", String(resource)).href,
  });
  await withServer({ path: "/team/mcp", metadata: parent }, async (home) => {
    await signIn(home);
    const { grant } = await home.stored();
    expect(grant.resource).toEndWith("/team");
    expect((await provider.find(grant.accessToken))?.aud).toBe(grant.resource);
  });
});

test.each(["https://other.example/mcp", "/mcp2", "/mcp/below", "/mc"])(
  "requirement 3: metadata that describe %s are refused",
  async (path) => {
    const metadata = ({ resource, ...others }: Record<string, unknown>) => ({
      ...others,
      resource: new URL(path, String(resource)).href,
    });
    const before = provider.requests.length;
    await withServer({ metadata }, async (home) => {
      const { code, stderr } = await runProgram(["login", "-s", "kb", "--no-browser"], {
        env: home.env,
      });
      expect(code).toBe(1);
      expect(stderr).toMatch(/the protected resource metadata describe \S+, not http:\S+/);
    });
    expect(provider.requests.length).toBe(before);
  },
);

const places = [
  "/.well-known/oauth-authorization-server/tenant/one",
  "/.well-known/openid-configuration/tenant/one",
  "/tenant/one/.well-known/openid-configuration",
];

test.each([1, 2, 3])(
  "requirement 4: the metadata of an issuer with a path are found at place %p of three, asked in order",
  async (count) => {
    const metadataAt = places[count - 1]!;
    const options = { issuerPath: "/tenant/one", metadataAt, hasResource: true };
    await withFront(options, async (home, { asked, origin }) => {
      await signInByDevice(home);
      const atIssuer = asked.filter((path) => !path.includes("protected-resource"));
      expect(atIssuer.slice(0, count)).toEqual(places.slice(0, count));
      expect((await home.stored()).grant.issuer).toBe(`${origin}/tenant/one`);
      expect(await callOnce(home)).toBe("done");
    });
  },
);

test("requirement 6: a server of 2025-03-26 with metadata at its origin is signed in to", async () => {
  const metadataAt = "/.well-known/oauth-authorization-server";
  await withFront({ metadataAt, hasResource: false }, async (home) => {
    await signInByDevice(home);
    expect(await callOnce(home)).toBe("done");
  });
});

test("requirement 6: a server of 2025-03-26 without any metadata is signed in to", async () => {
  const work = async (home: BridgeHome, { origin }: { origin: string }) => {
    const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
    const [url] = await login.seen(/http:\S+\/authorize\?\S+/);
    expect(url).toStartWith(`${origin}/authorize?`);
    const back = await approve(`${provider.issuer}/auth${new URL(url).search}`);
    // Such a server knows nothing of `iss`.
    back.searchParams.delete("iss");
    await (await fetch(back)).text();
    expect((await login.ended).code).toBe(0);
    expect(await callOnce(home)).toBe("done");
  };
  await withFront({ hasResource: false }, work, {});
});

test("requirement 26: a refused configured token is an error and starts no sign-in; a new token in its file is used", async () => {
  await withServer({}, async (home) => {
    await signIn(home);
    const { grant } = await home.stored();
    const url = grant.resource;
    const tokenFile = join(home.folder, "token");
    writeFileSync(tokenFile, `${grant.accessToken}\n`, { mode: 0o600 });
    await home.configure({ kb: { url, tokenFile } });
    const child = await startRun(home);
    expect(await callTool(child)).toBe("done");
    await provider.revoke(grant.accessToken);
    const before = provider.requests.length;
    expect(await callTool(child)).toStartWith("1402 Authentication failed");
    expect(provider.requests.length).toBe(before);
    await home.configure({ kb: { url } });
    await signIn(home);
    const { accessToken } = (await home.stored()).grant;
    await home.configure({ kb: { url, tokenFile } });
    writeFileSync(tokenFile, accessToken, { mode: 0o600 });
    expect(await callTool(child)).toBe("done");
    await child.end();
  });
});

test("requirement 36: a private CA is trusted by NODE_EXTRA_CA_CERTS; without it nothing is sent", async () => {
  const pem = (name: string) => join(import.meta.dir, "../../fault/certificates", name);
  const tls = { cert: Bun.file(pem("good.pem")), key: Bun.file(pem("good.key")) };
  const metadataAt = "/.well-known/oauth-authorization-server";
  await withFront({ metadataAt, hasResource: true, tls }, async (home, { asked, origin }) => {
    const { code, stderr } = await runProgram(["login", "-s", "kb"], { env: home.env });
    expect(code).toBe(5);
    expect(stderr).toContain(`the certificate of "${new URL(origin).host}" is not trusted`);
    expect(asked).toEqual([]);
    Object.assign(home.env, { NODE_EXTRA_CA_CERTS: pem("ca.pem") });
    await signInByDevice(home);
    expect(await callOnce(home)).toBe("done");
  });
});
