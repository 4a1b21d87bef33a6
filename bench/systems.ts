// The compared systems, each started as its manual says.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, DirectClient, StdioClient } from "./client.ts";
import { type Endpoint, endpoints, pathOf } from "./endpoints.ts";

export interface System {
  readonly name: string;
  readonly version: string;
  /** Only its start is compared. */
  readonly isStartOnly: boolean;
  open(endpoint: Endpoint): Client;
}

export interface Places {
  /** The executable that is measured. */
  readonly bridge: string;
  /** Where built and temporary files stand. */
  readonly out: string;
  readonly root: string;
  /** Home of the children; its own for each run. */
  readonly home: string;
  readonly port: number;
  readonly tlsPort: number;
  readonly caFile: string;
}

/** Name of the measured product in tables, charts and goals. */
export const ours = "bridge";
/** The bridge without the caches of earlier starts: catalog, protocol, checked configuration. */
export const forgetful = "bridge --no-cache";

function urlOf({ port, tlsPort }: Places, name: string, endpoint: Endpoint): string {
  const origin =
    endpoint === "tls" || endpoint === "untrusted"
      ? `https://127.0.0.1:${tlsPort}`
      : `http://127.0.0.1:${port}`;
  return origin + pathOf(name, endpoint);
}

function versionOf(file: string): string {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : "";
}

/** Version and commit of the bridge; a long commit is shortened. */
function versionOfOurs(bridge: string, env: Record<string, string>): string {
  try {
    const { stdout } = Bun.spawnSync([bridge, "--version", "--json"], { env });
    const { version, commit } = JSON.parse(stdout.toString());
    return `${version} (${commit.replace(/^([0-9a-f]{10})[0-9a-f]+/, "$1")})`;
  } catch {
    return "of unknown version";
  }
}

/**
 * Writes a configuration with one server for each endpoint, in a folder of its own.
 * `messageMB` allows the rows of 100 MB, which Codex would refuse.
 */
function writeConfig(places: Places, name: string): string {
  const servers = Object.fromEntries(
    endpoints.map((endpoint) => [
      endpoint,
      { url: urlOf(places, name, endpoint), auth: { type: "none" }, limits: { messageMB: 256 } },
    ]),
  );
  const folder = join(places.home, name);
  mkdirSync(folder, { mode: 0o700 });
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify({ version: 1, servers }, null, 2), { mode: 0o600 });
  return file;
}

interface Child {
  readonly name: string;
  readonly version: string;
  /** Its program, before the words of an endpoint. */
  readonly program: readonly string[];
  readonly words: (endpoint: Endpoint, url: string) => readonly string[];
  /** The variables that make it trust the server's certificate. */
  readonly trust: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

/** Every installed system; the direct client is first, the bridge second. */
export function findSystems(places: Places): System[] {
  const { bridge, out, root, home, caFile } = places;
  if (!existsSync(bridge)) throw new Error(`there is no bridge at ${bridge}`);
  const modules = join(root, "bench/node_modules");
  const env = { PATH: process.env.PATH ?? "", HOME: home };
  const ca = readFileSync(caFile, "utf8");
  const node = Bun.which("node") ?? "node";
  const trust = { NODE_EXTRA_CA_CERTS: caFile };
  const bridgeAs = (name: string, ...more: string[]): Child => {
    const config = writeConfig(places, name);
    return {
      name,
      version: name === ours ? versionOfOurs(bridge, env) : "",
      program: [bridge],
      words: (endpoint) => ["run", "--server", endpoint, "--config-path", config, ...more],
      trust,
      // As the entry starts it that `codex-config` writes.
      env: { ...env, BUN_JSC_useFTLJIT: "0" },
    };
  };
  const nodePeer = (name: string, program: string, words: Child["words"]): Child => ({
    name,
    version: versionOf(join(modules, name, "package.json")),
    program: [node, join(modules, name, program)],
    words,
    trust,
    env: { ...env, MCP_REMOTE_CONFIG_DIR: home },
  });
  const children: readonly Child[] = [
    bridgeAs(ours),
    bridgeAs(forgetful, "--no-cache"),
    {
      name: "floor",
      version: "",
      program: [join(out, "floor")],
      words: (_, url) => [url],
      trust,
      env,
    },
    {
      name: "hyper-mcp-remote",
      version: "0.5.0",
      program: [join(out, "cargo/bin/hyper-mcp-remote")],
      words: (_, url) => [url],
      trust: { SSL_CERT_FILE: caFile },
      env,
    },
    nodePeer("mcp-remote", "dist/proxy.js", (_, url) => [
      ...[url, "--transport", "http-only", "--allow-http", "--silent"],
    ]),
    nodePeer("supergateway", "dist/index.js", (_, url) => [
      ...["--streamableHttp", url, "--logLevel", "none"],
    ]),
  ];
  const direct: System = {
    name: "direct",
    version: Bun.version,
    isStartOnly: false,
    open: (endpoint) =>
      new DirectClient(urlOf(places, "direct", endpoint), endpoint === "tls" ? ca : undefined),
  };
  return [
    direct,
    ...children
      .filter(({ program }) => program.every((file) => existsSync(file)))
      .map(({ name, version, program, words, trust, env }) => ({
        name,
        version,
        isStartOnly: name === forgetful,
        open: (endpoint: Endpoint) =>
          new StdioClient([...program, ...words(endpoint, urlOf(places, name, endpoint))], {
            ...env,
            ...(endpoint !== "untrusted" && trust),
          }),
      })),
  ];
}
