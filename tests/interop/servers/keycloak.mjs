// Keycloak with a realm of its own, and an MCP server that takes its tokens: keycloak.mjs FOLDER PORT. Prints the server's URL.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { answerMcp } from "./guarded.mjs";

const [folder, port] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}/realms/interop`;
const imports = join(folder, "data/import");
mkdirSync(imports, { recursive: true });
cpSync(join(import.meta.dirname, "../java/keycloak-realm.json"), join(imports, "interop.json"));

const home = mkdtempSync(join(tmpdir(), "keycloak-"));
const words = ["start-dev", "--import-realm", "--db=dev-mem", `--http-port=${port}`];
const keycloak = spawn(join(folder, "bin/kc.sh"), [...words, "--http-host=127.0.0.1"], {
  cwd: home,
  env: { ...process.env, JAVA_OPTS_KC_HEAP: "-Xms64m -Xmx512m" },
  stdio: ["ignore", "inherit", "inherit"],
});
keycloak.on("exit", (code) => {
  rmSync(home, { recursive: true, force: true });
  process.exit(code ?? 1);
});
process.on("SIGTERM", () => keycloak.kill("SIGTERM"));

const keys = createRemoteJWKSet(new URL(`${issuer}/protocol/openid-connect/certs`));
const isGood = (token) =>
  jwtVerify(token, keys, { issuer }).then(
    () => true,
    () => false,
  );

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const { origin, pathname } = new URL(request.url);
    const place = "/.well-known/oauth-protected-resource/mcp";
    if (pathname === place)
      return Response.json({ resource: `${origin}/mcp`, authorization_servers: [issuer] });
    if (pathname !== "/mcp") return new Response(null, { status: 404 });
    const token = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    if (token !== undefined && (await isGood(token))) return answerMcp(request);
    const challenge = `Bearer resource_metadata="${origin}${place}"`;
    return new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
  },
});

while (!(await fetch(issuer).catch(() => undefined))?.ok)
  await new Promise((resolve) => setTimeout(resolve, 500));
console.log(`http://127.0.0.1:${server.port}/mcp`);
