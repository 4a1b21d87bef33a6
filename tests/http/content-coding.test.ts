import { expect, test } from "bun:test";
import zlib from "node:zlib";
import { Certificates } from "../../src/http/certificates.ts";
import { createHttp } from "../../src/http/client.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { memoryLog } from "../support/client.ts";
import { serveHttp } from "../support/serve-http.ts";

const stop = new AbortController();

function get(url: URL): Promise<Response> {
  const log = memoryLog();
  const certificates = new Certificates({}, {}, new ServerCache(undefined, url, log), log);
  const http = createHttp({ network: {}, env: {}, certificates });
  return http({ method: "GET", url, headers: {}, signal: stop.signal });
}

const serve = (body: Uint8Array, coding: string) =>
  serveHttp(() => new Response(body, { headers: { "content-encoding": coding, "x-own": "1" } }));

const text = JSON.stringify({
  tools: Array.from({ length: 500 }, (_, n) => ({ name: `tool-${n}` })),
});
const { gzipSync, deflateSync, deflateRawSync, brotliCompressSync, zstdCompressSync } = zlib;

test.each([
  ["gzip", gzipSync(text)],
  ["GZIP", gzipSync(text)],
  ["x-gzip", gzipSync(text)],
  ["deflate", deflateSync(text)],
  ["deflate", deflateRawSync(text)],
  ["br", brotliCompressSync(text)],
  ["zstd", zstdCompressSync(text)],
  ["deflate, gzip", gzipSync(deflateSync(text))],
  ["gzip, br, zstd", zstdCompressSync(brotliCompressSync(gzipSync(text)))],
  ["identity", Buffer.from(text)],
  ["identity, gzip", gzipSync(text)],
  ["utf-8", Buffer.from(text)],
  ["none", Buffer.from(text)],
  ["gzip, br", brotliCompressSync(gzipSync(text))],
  ["gzip,gzip", gzipSync(gzipSync(text))],
])("a body in the coding %s is decoded", async (coding, body) => {
  const response = await get(serve(body, coding));
  expect(await response.text()).toBe(text);
  expect(response.headers.get("content-encoding")).toBeNull();
  expect(response.headers.get("content-length")).toBeNull();
  expect(response.headers.get("x-own")).toBe("1");
});

test.each([
  ["compress", /answered in the coding "compress"/],
  ["gzip, rot13", /answered in the coding "rot13"/],
  ["gzip, gzip, gzip, gzip", /answered in 4 codings/],
  ["constructor", /answered in the coding "constructor"/],
])("the coding %s is refused, and the error names it", async (coding, words) => {
  const error = await get(serve(Buffer.from(text), coding)).catch((thrown) => thrown);
  expect(error).toMatchObject({ kind: "bad-answer", message: expect.stringMatching(words) });
});

test.each(["gzip", "deflate", "br", "zstd"])(
  "a body that is not in its declared coding %s is an error of kind bad-answer",
  async (coding) => {
    const response = await get(serve(Buffer.from(`\u0007${text}`), coding));
    const error = await response.text().catch((thrown) => thrown);
    expect(error).toMatchObject({
      kind: "bad-answer",
      message: expect.stringContaining(
        `announced a body in the coding "${coding}" and sent another`,
      ),
    });
  },
);

test.each([
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
])("a %s bomb is cut soon after the size that is allowed to every body", async (coding, pack) => {
  const quality = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } };
  const bomb = pack(new Uint8Array(64 << 20), coding === "br" ? quality : {});
  const { body } = await get(serve(bomb, coding));
  let bytes = 0;
  const read = async () => {
    for await (const chunk of body!) bytes += chunk.length;
  };
  const error = await read().catch((thrown) => thrown);
  expect(error).toMatchObject({
    kind: "bad-answer",
    message: expect.stringContaining("decompress to"),
  });
  expect(bytes).toBeLessThan(24 << 20);
});

test("a bomb that grows between two codings and decodes to an empty body is detected", async () => {
  // A gzip stream of stored blocks without a byte (RFC 1951 3.2.4): no output ever reaches the reader.
  const header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
  const inner = Buffer.concat([
    Buffer.from(header),
    Buffer.alloc(64 << 20, Buffer.from([0, 0, 0, 0xff, 0xff])),
  ]);
  const response = await get(serve(gzipSync(inner), "gzip, gzip"));
  const error = await response.text().catch((thrown) => thrown);
  expect(error).toMatchObject({
    kind: "bad-answer",
    message: expect.stringContaining("decompress to"),
  });
});

test("a large body of ordinary text is not taken for a bomb", async () => {
  const lines = Array.from(
    { length: 200_000 },
    (_, n) => `{"id":${n},"name":"resource number ${n * 7}"},`,
  );
  const large = lines.join("");
  expect(large.length).toBeGreaterThan(8 << 20);
  const response = await get(serve(gzipSync(large), "gzip"));
  expect((await response.text()).length).toBe(large.length);
});

test.each([
  ["gzip", () => zlib.createGzip()],
  ["deflate", () => zlib.createDeflate()],
  ["br", () => zlib.createBrotliCompress()],
  ["zstd", () => zlib.createZstdCompress()],
] as const)(
  "flushed data in the coding %s arrives before the body ends",
  async (coding, create) => {
    const encoder = create();
    const url = serveHttp(() => {
      const body = new ReadableStream({
        start(controller) {
          encoder.on("data", (chunk) => controller.enqueue(chunk));
        },
      });
      return new Response(body, { headers: { "content-encoding": coding } });
    });
    const say = (words: string) => {
      encoder.write(words);
      encoder.flush();
    };
    say("one");
    const reader = (await get(url)).body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe("one");
    say("two");
    expect((await reader.read()).value).toBe("two");
    await reader.cancel();
  },
);

test("a truncated compressed body gives the bytes that arrived", async () => {
  const packed = gzipSync(text);
  const response = await get(serve(packed.subarray(0, packed.length - 12), "gzip"));
  expect(text).toStartWith((await response.text()).slice(0, 100));
});

test("an answer without a body keeps its headers", async () => {
  const url = serveHttp(
    () => new Response(null, { status: 204, headers: { "content-encoding": "gzip" } }),
  );
  const response = await get(url);
  expect([response.status, response.body]).toEqual([204, null]);
});

test("several Set-Cookie headers stay separate", async () => {
  const headers = new Headers({ "content-encoding": "gzip" });
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  const response = await get(serveHttp(() => new Response(gzipSync(text), { headers })));
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  await response.text();
});
