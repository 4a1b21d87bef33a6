import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Scenario, struck } from "../support/scenario.ts";
import type { TlsFiles } from "../support/server.ts";
import type { Trip } from "../support/trip.ts";

const folder = join(import.meta.dir, "../certificates");
// Git keeps no such mode, and a key that others may read is refused.
chmodSync(join(folder, "client.key"), 0o600);
const path = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(path(name), "utf8");
const files = (name: string): TlsFiles => ({
  cert: read(`${name}.pem`),
  key: read(`${name}.key`),
});

const good = files("good");
// Thousands of roots are read before an issuer counts as unknown: more time than other faults need.
const trusting = { timeoutSec: 5, connectTimeoutSec: 2, network: { caFile: path("ca.pem") } };

/** Initialize fails with `tls`, nothing arrives; with a certificate that is believed in its place everything works. */
const refused = (
  name: string,
  bad: TlsFiles,
  { env = {}, believed = good }: { env?: Record<string, string>; believed?: TlsFiles } = {},
): Scenario => ({
  name,
  server: { tls: bad, name: "localhost" },
  entry: believed === good ? trusting : { timeoutSec: 8, connectTimeoutSec: 4 },
  env,
  play: async (trip) => {
    await trip.ends(trip.initialize(), "tls");
    trip.check(trip.server.requests.length === 0, "executed", "a request arrived");
    await heal(trip, believed);
  },
});

async function heal(trip: Trip, believed = good): Promise<void> {
  trip.server.stop();
  trip.server.options = { tls: believed, name: "localhost" };
  trip.server.opened = () => false;
  trip.server.start();
  await trip.connect();
  await trip.next();
}

/** Another certificate is believed, and not the CA of ours. */
const believing = {
  believed: files("selfsigned"),
  env: { NODE_EXTRA_CA_CERTS: path("selfsigned.pem") },
};

/** Certificates that must not be believed, and handshakes that go wrong. */
export const tls: Scenario[] = [
  {
    name: "a private CA in caFile is believed",
    server: { tls: good, name: "localhost" },
    entry: trusting,
    play: async (trip) => {
      await trip.connect();
      await trip.ends(trip.call(struck), "result");
      await trip.next();
    },
  },
  refused("an unknown issuer is refused", good, believing),
  refused("an unknown issuer is refused under NODE_TLS_REJECT_UNAUTHORIZED=0", good, {
    ...believing,
    env: { ...believing.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
  }),
  refused("an expired certificate is refused", files("expired")),
  refused("a certificate for another host is refused", files("elsewhere")),
  refused("a certificate that signed itself is refused", files("selfsigned")),
  refused("a server that asks for a client certificate gets none", {
    ...good,
    clientCa: read("ca.pem"),
  }),
  {
    name: "a client certificate is shown where it is configured",
    server: { tls: { ...good, clientCa: read("ca.pem") }, name: "localhost" },
    entry: {
      network: {
        caFile: path("ca.pem"),
        clientCertFile: path("client.pem"),
        clientKeyFile: path("client.key"),
      },
    },
    play: async (trip) => {
      await trip.connect();
      await trip.next();
    },
  },
  {
    name: "speaks plain HTTP where TLS is expected",
    server: { scheme: "https", name: "localhost" },
    entry: trusting,
    play: async (trip) => {
      await trip.ends(trip.initialize(), ["tls", "unreachable"]);
      await heal(trip);
    },
  },
  ...(["never finishes", "resets", "closes", "babbles in"] as const).map(
    (manner): Scenario => ({
      name: `the server ${manner} the handshake`,
      server: { scheme: "https", name: "localhost" },
      entry: { ...trusting, timeoutSec: 2 },
      play: async (trip) => {
        trip.server.opened = (connection) => {
          if (manner === "resets") connection.reset();
          if (manner === "closes") connection.end();
          if (manner === "babbles in") void connection.write("x".repeat(1000));
          return true;
        };
        const kinds = ["tls", "unreachable", "timeout", "connection-refused", "outcome-unknown"];
        await trip.ends(trip.initialize(), kinds);
        await heal(trip);
      },
    }),
  ),
  {
    name: "the server never finishes the handshake: told after connectTimeoutSec, not after timeoutSec",
    server: { scheme: "https", name: "localhost" },
    entry: { ...trusting, timeoutSec: 30, connectTimeoutSec: 0.6 },
    play: async (trip) => {
      trip.server.opened = () => true;
      await trip.ends(trip.initialize(), "unreachable", "answer", 5000);
      await heal(trip);
    },
  },
  {
    name: "cuts a TLS connection inside the answer",
    server: { tls: good, name: "localhost" },
    entry: trusting,
    fault: async (x) => {
      const text = x.execute();
      await x.head(200, { "Content-Type": "application/json", "Content-Length": "500" });
      await x.connection.write(text.slice(0, 20));
      x.connection.reset();
    },
    answer: "outcome-unknown",
  },
  {
    name: "changes its certificate to one that is not believed between two calls",
    server: { tls: good, name: "localhost" },
    entry: trusting,
    play: async (trip) => {
      await trip.connect();
      trip.server.stop();
      trip.server.options = { tls: files("selfsigned"), name: "localhost" };
      trip.server.start();
      await trip.ends(trip.call(struck), ["tls", "timeout"]);
      trip.times(struck, 0);
      trip.server.stop();
      trip.server.options = { tls: good, name: "localhost" };
      trip.server.start();
      await trip.next();
    },
  },
];
