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

test("a connection tells its address and time", async () => {
  const facts = await tryConnection(placeOf(plain.url), 5000);
  expect(facts).toMatchObject({ outcome: "connected", address: "127.0.0.1" });
  expect(facts.ms).toBeGreaterThan(0);
  expect(facts.tls).toBeUndefined();
});

test("a handshake tells version, issuer, names and end of the certificate, trusted or not", async () => {
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

test("a port that speaks no TLS refuses the handshake", async () => {
  const facts = await tryConnection(placeOf(new URL(`https://127.0.0.1:${plain.port}`)), 5000);
  expect(facts).toMatchObject({ outcome: "refused" });
  expect(facts.tls).toBeUndefined();
});

test("a closed port is told by its code", async () => {
  const closed = Bun.serve(own);
  await closed.stop(true);
  const facts = await tryConnection(placeOf(closed.url), 5000);
  expect(facts).toMatchObject({ outcome: "refused", code: "ECONNREFUSED" });
});

test("a listener that never shakes hands is silent", async () => {
  const mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const facts = await tryConnection(placeOf(new URL(`https://127.0.0.1:${mute.port}`)), 50);
  mute.stop(true);
  expect(facts.outcome).toBe("silent");
});
