import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, copyFileSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer, type Server } from "node:tls";
import { ownFolder } from "../../support/folder.ts";
import { oauthInside } from "../../support/oauth-inside.ts";

const pem = (name: string) => join(import.meta.dir, "../../fault/certificates", name);
const servers: Server[] = [];
let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());
afterAll(() => {
  for (const server of servers) server.close();
});

interface Place {
  readonly origin: string;
  /** Path of each request, and whether a client certificate came with it. */
  readonly seen: (readonly [path: string, hasCertificate: boolean])[];
}

/** An https server that asks for a client certificate and does without one. */
async function place(answer: (path: string, origin: string) => object | undefined): Promise<Place> {
  const seen: [string, boolean][] = [];
  let origin = "";
  const options = {
    cert: readFileSync(pem("good.pem")),
    key: readFileSync(pem("good.key")),
    ca: readFileSync(pem("ca.pem")),
    requestCert: true,
    rejectUnauthorized: false,
  };
  // Of node:tls, for node:https here does not tell the certificate of a client.
  const server = createServer(options, (socket) => {
    const hasCertificate = Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
    socket.on("error", () => {});
    socket.once("data", (bytes) => {
      const path = bytes.toString().split(" ")[1] ?? "";
      seen.push([path, hasCertificate]);
      const body = answer(path, origin);
      const status = body === undefined ? "404 Not Found" : "200 OK";
      const type = "content-type: application/json";
      socket.end(
        `HTTP/1.1 ${status}\r\n${type}\r\nconnection: close\r\n\r\n${JSON.stringify(body ?? {})}`,
      );
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  return { origin, seen };
}

const authorizationServer = () =>
  place((path, origin) =>
    path === "/.well-known/oauth-authorization-server"
      ? { issuer: origin, token_endpoint: `${origin}/token` }
      : path === "/token"
        ? { access_token: "a-token-12345", token_type: "Bearer", expires_in: 3600 }
        : undefined,
  );

/** A server whose metadata name the authorization server, and a home that shows a client certificate. */
async function world(issuer: () => string, auth: object = {}) {
  const resource = await place((path, origin) =>
    path === "/.well-known/oauth-protected-resource/mcp"
      ? { resource: `${origin}/mcp`, authorization_servers: [issuer()] }
      : undefined,
  );
  for (const name of ["client.pem", "client.key"]) {
    copyFileSync(pem(name), join(folder.path, name));
    chmodSync(join(folder.path, name), 0o600);
  }
  const oauth = oauthInside(folder.path, {
    url: `${resource.origin}/mcp`,
    auth: { type: "oauth", grant: "client_credentials", clientId: "machine", ...auth },
    network: {
      caFile: pem("ca.pem"),
      clientCertFile: join(folder.path, "client.pem"),
      clientKeyFile: join(folder.path, "client.key"),
    },
  });
  const challenge = undefined;
  const obtain = (sent?: string) => oauth.refresher.refresh({ sent, refused: { challenge } });
  return { resource, obtain };
}

const shown = ({ seen }: Place) => seen.map(([, hasCertificate]) => hasCertificate);

test("the client certificate is shown to the configured origin, and to an authorization server once it is pinned", async () => {
  const first = await authorizationServer();
  const second = await authorizationServer();
  let issuer = first.origin;
  const { resource, obtain } = await world(() => issuer);
  const grant = await obtain();
  expect(grant?.accessToken).toBe("a-token-12345");
  expect(shown(resource)).toEqual([true]);
  expect(shown(first)).toEqual([false, false]);
  await obtain(grant?.accessToken);
  expect(shown(first)).toEqual([false, false, true, true]);
  issuer = second.origin;
  expect(await obtain(grant?.accessToken).catch((error) => error.kind)).toBe("refused");
  expect(second.seen).toEqual([["/.well-known/oauth-authorization-server", false]]);
});

test.each([
  ["auth.issuer", (origin: string) => ({ issuer: origin })],
  ["auth.trustedHosts", (origin: string) => ({ trustedHosts: [new URL(origin).host] })],
])("an authorization server that %s names is shown the client certificate", async (_, auth) => {
  const named = await authorizationServer();
  const { obtain } = await world(() => named.origin, auth(named.origin));
  await obtain();
  expect(shown(named)).toEqual([true, true]);
});
