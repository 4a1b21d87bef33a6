import { expect, test } from "bun:test";
import { authorize } from "../../../src/upstream/transport/authorize.ts";
import { requestOf } from "../../../src/wire/message.ts";

const url = new URL("http://127.0.0.1:1/mcp");

/** How often the authorizer is asked about a 401 with this body, to the request with id 7. */
async function asked(body: string): Promise<number> {
  let refusals = 0;
  const http = authorize(async () => new Response(body, { status: 401 }), {
    headers: async () => ({}),
    refused: async () => ++refusals < 0,
  });
  const { bytes } = requestOf("7", "tools/call");
  const { signal } = new AbortController();
  const response = await http({ method: "POST", url, headers: {}, body: bytes, signal });
  expect(response.status).toBe(401);
  expect(await response.text()).toBe(body);
  return refusals;
}

const error = (id: string) =>
  `{"jsonrpc":"2.0","id":${id},"error":{"code":-32600,"message":"Unauthorized"}}`;

test("a 401 without a challenge that is the JSON-RPC response to the request asks for no credential", async () => {
  expect(await asked(error("7.0"))).toBe(0);
});

test.each([error("null"), error('"server-error"'), error("8"), "no", ""])(
  "a 401 without a challenge that says %p is",
  async (body) => {
    expect(await asked(body)).toBe(1);
  },
);

test.each<[string, Record<string, string>, Record<string, string>, number]>([
  ["another token", { authorization: "Bearer one" }, { authorization: "Bearer two" }, 1],
  ["another header", { "x-key": "one" }, { "x-key": "two" }, 1],
  ["the same token", { authorization: "Bearer one" }, { authorization: "Bearer one" }, 0],
  [
    "the same token with another proof",
    { authorization: "DPoP one", DPoP: "a" },
    { authorization: "DPoP one", DPoP: "b" },
    0,
  ],
])("%s after a refusal tells of a change %4$i times", async (_, before, after, times) => {
  let changes = 0;
  const fields = [before, after];
  const statuses = [401, 200];
  const http = authorize(
    async () => new Response("", { status: statuses.shift()! }),
    { headers: async () => fields.shift()!, refused: async () => true },
    () => void changes++,
  );
  const { signal } = new AbortController();
  const response = await http({ method: "POST", url, headers: {}, signal });
  expect([response.status, changes]).toEqual([200, times]);
});
