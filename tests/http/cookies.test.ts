import { expect, test } from "bun:test";
import { AffinityCookies } from "../../src/http/cookies.ts";

const endpoint = new URL("https://kb.example/mcp");

/** An endpoint that sets `cookies` with its first response; `sent` holds the Cookie header of each request. */
function jarOf(cookies: readonly string[]) {
  const sent: (string | undefined)[] = [];
  const affinity = new AffinityCookies(endpoint.origin);
  const get = async (url: string | URL = endpoint, headers = {}) => {
    const to = new URL(url);
    sent.push(new Headers(affinity.fieldsFor(to, headers)).get("cookie") ?? undefined);
    const response = new Response("");
    if (sent.length === 1)
      for (const cookie of cookies) response.headers.append("set-cookie", cookie);
    expect(await affinity.keep(response, to)).toBe(response);
  };
  return { sent, get, affinity };
}

test.each([
  ["node=a", "node=a"],
  ["node=a; Path=/mcp", "node=a"],
  ["node=a; Path=/elsewhere", undefined],
  ["node=a; Domain=kb.example", "node=a"],
  ["node=a; Domain=other.example", undefined],
  ["node=a; Domain=example", undefined],
  ["node=a; Max-Age=60", "node=a"],
  ["node=a; Max-Age=0", undefined],
  ["node=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT", undefined],
  ["node=a; Secure; HttpOnly; SameSite=Strict", "node=a"],
  ["__Host-node=a; Secure; Path=/", "__Host-node=a"],
  ["__Host-node=a; Secure; Path=/; Domain=kb.example", undefined],
  ["=; ;", undefined],
  ["", undefined],
  [`node=${"a".repeat(5000)}`, undefined],
  ["node=\u00e9", undefined],
])("after Set-Cookie: %s the next request carries %p", async (cookie, carried) => {
  const { get, sent } = jarOf([cookie]);
  await get();
  await get();
  expect(sent).toEqual([undefined, carried]);
});

test.each([
  "https://kb.example:8443/mcp",
  "http://kb.example/mcp",
  "https://sub.kb.example/mcp",
  "https://other.example/mcp",
])("no cookie reaches %s, and no cookie from that URL is stored", async (url) => {
  const { get, sent } = jarOf(["node=a; Domain=kb.example"]);
  await get();
  await get(url);
  expect(sent).toEqual([undefined, undefined]);
  const foreign = jarOf(["node=a"]);
  await foreign.get(url);
  await foreign.get();
  expect(foreign.sent).toEqual([undefined, undefined]);
});

test("number and size of cookies are bounded", async () => {
  const many = jarOf(Array.from({ length: 10_000 }, (_, n) => `c${n}=${n}`));
  await many.get();
  await many.get();
  expect(many.sent[1]?.split("; ").length).toBeLessThanOrEqual(50);
  const large = jarOf(Array.from({ length: 20 }, (_, n) => `c${n}=${"x".repeat(1000)}`));
  await large.get();
  await large.get();
  expect(large.sent[1]?.length).toBeLessThanOrEqual(4096);
  expect(large.sent[1]).toStartWith("c0=");
});

test("a configured cookie is kept and sent first", async () => {
  const { get, sent } = jarOf(["node=a"]);
  await get(endpoint, { Cookie: "own=1" });
  await get(endpoint, { Cookie: "own=1" });
  expect(sent).toEqual(["own=1", "own=1; node=a"]);
});

test("a cleared cookie is no longer sent", async () => {
  const { get, sent, affinity } = jarOf(["node=a"]);
  await get();
  affinity.clear();
  await get();
  expect(sent).toEqual([undefined, undefined]);
});
