import type { FaultServer } from "../fault/support/server.ts";

/** One command as the torture runs it. */
export interface Tortured {
  readonly name: string;
  readonly argv: (server: FaultServer) => string[];
  readonly stdin?: string;
  /** `run`: every line of stdout is a JSON-RPC message. */
  readonly isRun?: boolean;
}

const line = (message: object) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;

const trip =
  line({
    id: 1,
    method: "initialize",
    params: {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "t", version: "1" },
    },
  }) +
  line({ method: "notifications/initialized" }) +
  line({ id: 2, method: "tools/list" }) +
  line({ id: 3, method: "tools/call", params: { name: "write", arguments: { key: "torture" } } });

/** Every command, in the form that reaches furthest without a person. */
export const commands: Tortured[] = [
  { name: "run", argv: () => ["run", "--server", "x"], stdin: trip, isRun: true },
  {
    name: "setup",
    argv: (server) => ["setup", "--server", "y", "--url", server.url, "--token-stdin"],
    stdin: "another-token-0123456789\n",
  },
  { name: "test", argv: () => ["test", "--server", "x"] },
  { name: "status", argv: () => ["status"] },
  { name: "codex-config", argv: () => ["codex-config", "--server", "x"] },
  {
    name: "codex-config --write",
    argv: () => ["codex-config", "--server", "x", "--write", "--command", "/usr/bin/bridge"],
  },
  { name: "headers", argv: () => ["headers", "--server", "x"] },
  { name: "login", argv: () => ["login", "--server", "m"] },
  {
    name: "credentials export",
    argv: () => ["credentials", "export", "--server", "m", "--passphrase-fd", "0"],
    stdin: "a passphrase of words\n",
  },
  {
    name: "credentials import",
    argv: () => ["credentials", "import", "--server", "m", "--passphrase-fd", "0"],
    stdin: "a passphrase of words\nno sealed text\n",
  },
  { name: "logout", argv: () => ["logout", "--server", "x"] },
  { name: "remove", argv: () => ["remove", "x"] },
  { name: "demo", argv: () => ["demo"] },
];
