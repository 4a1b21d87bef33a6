// What is compared, and how each is started by someone who read its manual.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, DirectClient, StdioClient } from "./client.ts";

/** The ways the server can be talked to. */
export type Way = "json" | "sse" | "slow" | "tls";

export interface System {
  readonly name: string;
  readonly version: string;
  /** Compared at its start only. */
  readonly isStartOnly: boolean;
  open(way: Way): Client;
}

export interface Places {
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
/** The same without what earlier starts learned: catalog, era, checked configuration. */
const forgetful = "bridge --no-cache";

function urlOf({ port, tlsPort }: Places, way: Way): string {
  return way === "tls" ? `https://127.0.0.1:${tlsPort}/json` : `http://127.0.0.1:${port}/${way}`;
}

function versionOf(file: string): string {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : "";
}

/** A configuration with one server for each way; `messageMB` lets the 100 MB rows through, which Codex would refuse. */
function writeConfig(places: Places): string {
  const { home } = places;
  const ways: Way[] = ["json", "sse", "slow", "tls"];
  const servers = Object.fromEntries(
    ways.map((way) => [
      way,
      { url: urlOf(places, way), auth: { type: "none" }, limits: { messageMB: 256 } },
    ]),
  );
  const file = join(home, "config.json");
  writeFileSync(file, JSON.stringify({ version: 1, servers }, null, 2), { mode: 0o600 });
  return file;
}

/** Every system that is there; the first is the direct client, the second ours. */
export function findSystems(places: Places): System[] {
  const { out, root, home, caFile } = places;
  const modules = join(root, "bench/node_modules");
  const env = { PATH: process.env.PATH ?? "", HOME: home };
  const nodeEnv = { ...env, NODE_EXTRA_CA_CERTS: caFile, MCP_REMOTE_CONFIG_DIR: home };
  const ca = readFileSync(caFile, "utf8");
  const config = writeConfig(places);
  const child = (name: string, version: string, argv: (way: Way) => string[], childEnv = env) => ({
    name,
    version,
    isStartOnly: name === forgetful,
    needs: argv("json")
      .slice(0, 2)
      .filter((word) => word.startsWith("/")),
    open: (way: Way) => new StdioClient(argv(way), childEnv),
  });
  const bridge = process.env.BRIDGE_BIN ?? join(root, "dist/codex-mcp-http-bridge");
  const children = [
    child(
      ours,
      versionOf(join(root, "package.json")),
      (way) => [bridge, "run", "--server", way, "--config-path", config],
      { ...env, ...{ NODE_EXTRA_CA_CERTS: caFile } },
    ),
    child(
      forgetful,
      "",
      (way) => [bridge, "run", "--server", way, "--config-path", config, "--no-cache"],
      { ...env, ...{ NODE_EXTRA_CA_CERTS: caFile } },
    ),
    child("floor", "", (way) => [join(out, "floor"), urlOf(places, way)], {
      ...env,
      ...{ NODE_EXTRA_CA_CERTS: caFile },
    }),
    child(
      "hyper-mcp-remote",
      "0.5.0",
      (way) => [join(out, "cargo/bin/hyper-mcp-remote"), urlOf(places, way)],
      { ...env, ...{ SSL_CERT_FILE: caFile } },
    ),
    child(
      "mcp-remote",
      versionOf(join(modules, "mcp-remote/package.json")),
      (way) => [
        Bun.which("node") ?? "node",
        join(modules, "mcp-remote/dist/proxy.js"),
        urlOf(places, way),
        ...["--transport", "http-only", "--allow-http", "--silent"],
      ],
      nodeEnv,
    ),
    child(
      "supergateway",
      versionOf(join(modules, "supergateway/package.json")),
      (way) => [
        Bun.which("node") ?? "node",
        join(modules, "supergateway/dist/index.js"),
        ...["--streamableHttp", urlOf(places, way), "--logLevel", "none"],
      ],
      nodeEnv,
    ),
  ];
  return [
    {
      name: "direct",
      version: Bun.version,
      isStartOnly: false,
      open: (way: Way) => new DirectClient(urlOf(places, way), way === "tls" ? ca : undefined),
    },
    ...children.filter(({ needs }) => needs.every((file) => existsSync(file))),
  ];
}
