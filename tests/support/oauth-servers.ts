import { afterAll, beforeAll } from "bun:test";
import { type AuthorizationServer, startProvider } from "./oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "./oauth-resource.ts";

/** An authorization server and a server that it protects, for the tests of a file or of a `describe`: they run before its first test. */
export function oauthServers(): {
  readonly provider: AuthorizationServer;
  readonly resource: ProtectedServer;
} {
  const servers = {} as { provider: AuthorizationServer; resource: ProtectedServer };
  beforeAll(async () => {
    servers.provider = await startProvider();
    servers.resource = startProtectedServer(servers.provider);
  });
  afterAll(async () => {
    await servers.resource.close();
    await servers.provider.close();
  });
  return servers;
}
