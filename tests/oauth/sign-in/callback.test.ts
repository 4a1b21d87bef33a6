import { afterAll, beforeAll, expect, test } from "bun:test";
import { listenOnLoopback } from "../../../src/http/loopback-server.ts";
import { prepare } from "../../../src/oauth/sign-in/prepare.ts";
import { signIn } from "../../../src/oauth/sign-in/sign-in.ts";
import { ownFolder } from "../../support/folder.ts";
import { oauthInside } from "../../support/oauth-inside.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { approve } from "../../support/oauth-user.ts";

let provider: AuthorizationServer;
let resource: ProtectedServer;

beforeAll(async () => {
  provider = await startProvider();
  resource = startProtectedServer(provider);
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

const signal = new AbortController().signal;

/** A sign-in whose browser is the test. */
async function begin(folder: string, entry: object = {}, pasted?: AsyncIterable<string>) {
  const oauth = oauthInside(folder, { url: resource.url, ...entry });
  const prepared = await prepare(oauth, { challenge: undefined, signal });
  const shown = Promise.withResolvers<{ url: URL; port: number | undefined }>();
  const bad: string[] = [];
  const done = signIn(
    prepared,
    {
      device: "never",
      showUrl(url, port) {
        shown.resolve({ url, port });
        return true;
      },
      showDevice: () => {},
      ...(pasted && { pasted }),
      onFailure: (error) => void bad.push(error.message),
    },
    signal,
  );
  done.catch((error) => shown.reject(error));
  return { oauth, done, bad, ...(await shown.promise) };
}

const tokenRequests = () => provider.tokenRequests("authorization_code").length;

test("requirement 14: stray and forged callbacks get 400 and the wait goes on; state comes before error", async () => {
  using folder = ownFolder();
  const { url, done } = await begin(folder.path);
  const callback = new URL(url.searchParams.get("redirect_uri")!);
  const state = url.searchParams.get("state")!;
  const get = async (query: string, init: RequestInit = {}, path = callback.pathname) => {
    const response = await fetch(`${callback.origin}${path}?${query}`, init);
    return response.status;
  };
  expect(await get("error=access_denied")).toBe(400);
  expect(await get("error=access_denied&state=other")).toBe(400);
  expect(await get("code=stolen&state=other")).toBe(400);
  expect(await get(`code=x&state=${state}&state=${state}`)).toBe(400);
  expect(await get(`code=x&state=${state}`, { method: "POST" })).toBe(400);
  expect(await get(`code=x&state=${state}`, {}, "/other")).toBe(400);
  expect(await get(`code=x&state=${state}`, { headers: { host: "evil.example.com" } })).toBe(400);
  const end = await fetch(await approve(url));
  expect(end.status).toBe(200);
  await done;
  // The listener is gone: one answer, one use.
  expect(fetch(callback).then(({ status }) => status)).rejects.toThrow();
});

test.each([
  [
    "of another issuer",
    (answer: URL) => answer.searchParams.set("iss", "https://evil.example.com"),
  ],
  [
    "of the issuer with a slash",
    (answer: URL) => answer.searchParams.set("iss", `${answer.searchParams.get("iss")}/`),
  ],
  ["without the issuer that was promised", (answer: URL) => answer.searchParams.delete("iss")],
  [
    "with an error of another issuer",
    (answer: URL) => {
      answer.searchParams.set("error", "access_denied");
      answer.searchParams.set("error_description", "\u001b[31mcall 555");
      answer.searchParams.set("iss", "https://evil.example.com");
    },
  ],
])(
  "requirement 15: an answer %s ends the sign-in before any token request (RFC 9207)",
  async (_, change) => {
    using folder = ownFolder();
    const { url, done } = await begin(folder.path);
    const answer = await approve(url);
    change(answer);
    const before = tokenRequests();
    const [page, error] = await Promise.all([fetch(answer), done.catch((reason) => reason)]);
    expect(page.status).toBe(400);
    expect(error.kind).toBe("sign-in-required");
    expect(error.message).toContain("authorization server");
    expect(error.message).not.toContain("555");
    expect(tokenRequests()).toBe(before);
  },
);

test("a refusal is shown on the page and in the error, without control characters", async () => {
  using folder = ownFolder();
  const { url, done } = await begin(folder.path);
  const answer = new URL(url.searchParams.get("redirect_uri")!);
  answer.search = new URLSearchParams({
    error: "access_denied",
    error_description: "no <b>\u001b[31mentry\u202e",
    state: url.searchParams.get("state")!,
    iss: provider.issuer,
  }).toString();
  const [page, error] = await Promise.all([fetch(answer), done.catch((reason) => reason)]);
  const html = await page.text();
  expect(html).toContain("no &lt;b&gt;");
  expect(html).not.toContain("\u001b");
  expect(error.message).toContain("access_denied (no <b> [31mentry");
});

async function* lines(...texts: string[]) {
  yield* texts;
}

test("a pasted address with another state is refused, and the next line is read", async () => {
  using folder = ownFolder();
  const given = Promise.withResolvers<string>();
  async function* pasted() {
    yield "http://127.0.0.1/callback?code=x&state=wrong";
    yield (await given.promise).replace(/^.*\?/, "");
  }
  const { url, done, bad } = await begin(folder.path, {}, pasted());
  given.resolve((await approve(url)).href);
  expect((await done).accessToken).toBeString();
  expect(bad).toHaveLength(1);
});

test("a refused pasted code is reported at once, and the next paste is awaited", async () => {
  using folder = ownFolder();
  const given = Promise.withResolvers<string>();
  async function* pasted() {
    yield await given.promise;
    // The refusal came before this line.
    yield (await approve(url)).href;
  }
  const { url, done, bad } = await begin(folder.path, {}, pasted());
  const wrong = new URL("http://127.0.0.1/callback");
  wrong.search = new URLSearchParams({
    code: "refused",
    state: url.searchParams.get("state")!,
    iss: provider.issuer,
  }).toString();
  given.resolve(wrong.href);
  expect((await done).accessToken).toBeString();
  expect(bad).toEqual([expect.stringContaining("invalid_grant")]);
});

test("the end of the input behind a refused code ends the sign-in with the refusal", async () => {
  using folder = ownFolder();
  const given = Promise.withResolvers<string>();
  async function* pasted() {
    yield await given.promise;
  }
  const { url, done } = await begin(folder.path, {}, pasted());
  const state = url.searchParams.get("state")!;
  const answer = new URLSearchParams({ code: "refused", state, iss: provider.issuer });
  given.resolve(answer.toString());
  expect(done).rejects.toThrow("invalid_grant");
});

test("a pasted code without its URL is refused if the server sends iss", async () => {
  using folder = ownFolder();
  const { done } = await begin(folder.path, {}, lines("some-code"));
  expect(done).rejects.toThrow("paste the whole address");
});

test("a pasted code without its URL is accepted if the server does not send iss", async () => {
  using folder = ownFolder();
  const plain = await startProvider({
    metadata: (document) => {
      delete document.authorization_response_iss_parameter_supported;
    },
  });
  const server = startProtectedServer(plain);
  const given = Promise.withResolvers<string>();
  async function* pasted() {
    yield await given.promise;
  }
  const { url, done } = await begin(folder.path, { url: server.url }, pasted());
  given.resolve((await approve(url)).searchParams.get("code")!);
  expect((await done).accessToken).toBeString();
  await server.close();
  await plain.close();
});

test("requirement 16: the registered port is used again; where it is taken, another is registered", async () => {
  using folder = ownFolder();
  const first = await begin(folder.path);
  await fetch(await approve(first.url));
  await first.done;
  const second = await begin(folder.path);
  expect(second.url.searchParams.get("client_id")).toBe(first.url.searchParams.get("client_id"));
  expect(second.port).toBe(first.port!);
  await fetch(await approve(second.url));
  await second.done;
  const { createServer } = await import("node:net");
  const owner = createServer();
  await new Promise<void>((resolve) => owner.listen(first.port, "127.0.0.1", resolve));
  const third = await begin(folder.path);
  expect(third.port).not.toBe(first.port!);
  expect(third.url.searchParams.get("client_id")).not.toBe(first.url.searchParams.get("client_id"));
  await fetch(await approve(third.url));
  await third.done;
  owner.close();
});

test.each(["127.0.0.1", "::1"])(
  "a redirect to localhost needs its port on 127.0.0.1 and [::1]: taken on %s it is an error that names it",
  async (hostname) => {
    using folder = ownFolder();
    const busy = Bun.serve({ port: 0, hostname, fetch: () => new Response() });
    const entry = { auth: { type: "oauth", redirectUri: `http://localhost:${busy.port}/cb` } };
    const error = await begin(folder.path, entry).catch((reason) => reason);
    expect([error.kind, error.message]).toEqual([
      "configuration",
      `port ${busy.port} is in use: ${hostname === "::1" ? "[::1]" : hostname}:${busy.port}`,
    ]);
    await busy.stop(true);
  },
);

/** A port that is free on both addresses. */
async function freePort(): Promise<number> {
  const server = await listenOnLoopback("localhost", 0, () => new Response());
  await server.close();
  return server.port;
}

test.each([
  ["localhost", ["127.0.0.1", "[::1]"]],
  ["[::1]", ["[::1]"]],
])(
  "a configured redirect to %s is waited for on %p, and the sign-in ends there",
  async (hostname, places) => {
    using folder = ownFolder();
    const redirectUri = `http://${hostname}:${await freePort()}/cb`;
    const { url, done, port } = await begin(folder.path, { auth: { type: "oauth", redirectUri } });
    expect(url.searchParams.get("redirect_uri")).toBe(redirectUri);
    for (const place of places) {
      const { status } = await fetch(`http://${place}:${port}/cb`);
      expect(status).toBe(400);
    }
    const answer = await approve(url);
    answer.hostname = places.at(-1)!;
    expect((await fetch(answer)).status).toBe(200);
    await done;
  },
);

test("a configured port that is taken is an error that says so", async () => {
  using folder = ownFolder();
  const busy = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const entry = { auth: { type: "oauth", callbackPort: busy.port } };
  expect(begin(folder.path, entry)).rejects.toThrow(`port ${busy.port}`);
  await busy.stop(true);
});

test("half a request at the listener does not hold up the end of the sign-in", async () => {
  using folder = ownFolder();
  const { url, done, port } = await begin(folder.path);
  const abandon = Promise.withResolvers<void>();
  const half = await Bun.connect({
    hostname: "127.0.0.1",
    port: port!,
    socket: { data() {}, close: () => abandon.resolve() },
  });
  half.write("GET /callback HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  half.flush();
  const page = await fetch(await approve(url));
  expect(await page.text()).toContain("You are signed in");
  const startedAt = performance.now();
  await Promise.all([done, abandon.promise]);
  // Bun itself waits for 10 s.
  expect(performance.now() - startedAt).toBeLessThan(5000);
});

test("requirement 16: the listener is reached on 127.0.0.1 only", async () => {
  using folder = ownFolder();
  const { url, done, port } = await begin(folder.path);
  const { networkInterfaces } = await import("node:os");
  const outside = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4");
  for (const { address } of outside) {
    expect(fetch(`http://${address}:${port}/callback`)).rejects.toThrow();
  }
  await fetch(await approve(url));
  await done;
});
