import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { placeOf, tryConnection } from "../../src/http/connect-probe.ts";

const certificates = join(import.meta.dir, "../fault/certificates");
const read = (name: string) => Bun.file(join(certificates, name)).text();
const fetch = () => new Response("hello");
const own = { hostname: "127.0.0.1", port: 0, fetch };
const plain = Bun.serve(own);
const tls = Bun.serve({
  ...own,
  tls: { cert: await read("good.pem"), key: await read("good.key") },
});
afterAll(() => Promise.all([plain.stop(true), tls.stop(true)]));

test("the probe of a connection reports address and time", async () => {
  const facts = await tryConnection(placeOf(plain.url), 5000);
  expect(facts).toMatchObject({ outcome: "connected", address: "127.0.0.1" });
  expect(facts.ms).toBeGreaterThan(0);
  expect(facts.tls).toBeUndefined();
});

test("the probe of a handshake reports TLS version, issuer, names and expiry of the certificate, trusted or not", async () => {
  const facts = await tryConnection(placeOf(new URL(`https://127.0.0.1:${tls.port}`)), 5000);
  expect(facts).toMatchObject({
    outcome: "connected",
    address: "127.0.0.1",
    tls: {
      version: "TLSv1.3",
      issuer: "Bridge test CA",
      names: expect.arrayContaining(["DNS:localhost", "IP Address:127.0.0.1"]),
      validUntil: Date.parse("2124-12-31T23:59:59Z"),
    },
  });
});

test("the handshake fails at a port without TLS", async () => {
  const facts = await tryConnection(placeOf(new URL(`https://127.0.0.1:${plain.port}`)), 5000);
  expect(facts).toMatchObject({ outcome: "refused" });
  expect(facts.tls).toBeUndefined();
});

test("the error for a closed port holds the error code", async () => {
  const closed = Bun.serve(own);
  await closed.stop(true);
  const facts = await tryConnection(placeOf(closed.url), 5000);
  expect(facts).toMatchObject({ outcome: "refused", code: "ECONNREFUSED" });
});

test("a listener that never answers the handshake is reported as silent", async () => {
  const mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const facts = await tryConnection(placeOf(new URL(`https://127.0.0.1:${mute.port}`)), 50);
  mute.stop(true);
  expect(facts.outcome).toBe("silent");
});
