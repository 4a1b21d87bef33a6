/** The kinds of calls that fail. */
export const kinds = ["fetch", "fs", "stdout"] as const;
export type Kind = (typeof kinds)[number];

/** A command that succeeds if no call fails. */
export interface Tortured {
  readonly name: string;
  readonly words: readonly string[];
  /** Text of stdin; `sealed` is the output of `credentials export`. */
  readonly stdin?: (encrypted: string) => string;
  /** Kinds of calls that it does not make. */
  readonly without?: readonly Kind[];
  /** The command of the child process whose calls fail, if not its own. */
  readonly victim?: string;
  /** Whether nobody is signed in at the beginning. */
  readonly isSignedOut?: boolean;
  /** For `run`: requests that get one answer each; every line of stdout is a message. */
  readonly ids?: readonly number[];
}

/** The passphrase of exported credentials. */
export const passphrase = "a passphrase of words";

const line = (message: object) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`;

const trip = () =>
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
const ids = [1, 2, 3];

const unlock = () => `${passphrase}\n`;
const sealing = ["--passphrase-fd", "0"];
const installed = ["--command", "/usr/bin/bridge"];

/** Every command (of servers with a token `x`, a machine's grant `m`, a person's sign-in `kb` and `out`), in the form that reaches furthest without a person. */
export const commands: Tortured[] = [
  { name: "run", words: ["run", "--server", "x"], stdin: trip, ids },
  { name: "run with a machine's grant", words: ["run", "--server", "m"], stdin: trip, ids },
  { name: "run with a sign-in", words: ["run", "--server", "kb"], stdin: trip, ids },
  {
    name: "setup",
    words: ["setup", "--server", "y", "--url", "http://127.0.0.1:9/mcp", "--token-stdin"],
    stdin: () => "another-token-0123456789\n",
  },
  { name: "test", words: ["test", "--server", "x"], without: ["fetch"] },
  { name: "test, in its child", words: ["test", "--server", "x"], victim: "run" },
  { name: "status", words: ["status"], without: ["fetch"] },
  {
    name: "codex-config",
    words: ["codex-config", "--server", "x", ...installed],
    without: ["fetch"],
  },
  {
    name: "codex-config --write",
    words: ["codex-config", "--server", "x", "--write", ...installed],
    without: ["fetch"],
  },
  { name: "headers", words: ["headers", "--server", "m"] },
  { name: "login", words: ["login", "--server", "m"] },
  {
    name: "credentials export",
    words: ["credentials", "export", "--server", "kb", ...sealing],
    stdin: unlock,
    without: ["fetch"],
  },
  {
    name: "credentials import",
    words: ["credentials", "import", ...sealing, "--yes"],
    stdin: (encrypted) => unlock() + encrypted,
    isSignedOut: true,
  },
  { name: "logout", words: ["logout", "--server", "out"] },
  { name: "remove", words: ["remove", "out"], without: ["fetch"] },
  // Its child is `run`, with a different environment.
  { name: "demo", words: ["demo"], without: ["fetch"] },
];
