import { join } from "node:path";
import { type Environment, userHome } from "../../platform/paths.ts";
import type { Format } from "./document.ts";

/** A client's name as `--for` and `--from` take it. */
export type ClientId = string;

/** The command, arguments and environment that start the bridge for one server. */
export interface Start {
  readonly command: string;
  readonly args: readonly string[];
  /** Environment variables; the values may be references that the client expands. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The variables of its environment that a client passes to the servers it starts: `all`; `plain`: all except names that
 * look like secrets; `named`: only variables in the entry.
 */
type Passes = "all" | "plain" | "named";

/** An MCP client, with the location and format of its configuration. */
export interface Client {
  readonly id: ClientId;
  /** Part of the name in its initialize, in lower case; absent: the id. */
  readonly clientName?: string;
  readonly title: string;
  readonly format: Format;
  /** Absolute paths of the user's configuration files; the first is written if none exists. */
  readonly files: (folders: ClientFolders) => readonly string[];
  /** The configuration file in a project, relative to the project's folder; undefined if the client has none. */
  readonly projectFile?: string;
  /** The keys from the file's root to the servers. */
  readonly section: readonly string[];
  /** Whether the servers are a list of entries with a `name`, not a map. */
  readonly isList?: true;
  readonly passes: Passes;
  /** Syntax with which an entry refers to a variable of the client's environment; undefined if the client expands none. */
  readonly reference?: (variable: string) => string;
  /** Makes the entry's fields, in the order in which they are written. */
  readonly entry: (name: string, start: Start) => Record<string, unknown>;
  /** Fields that are set in a new entry only; later changes by the user are kept. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  /** Instruction to the user for making the client read its file again. */
  readonly reload: string;
}

/** The folders in which clients keep their files. */
export interface ClientFolders {
  readonly home: string;
  /** `~/.config`, `~/Library/Application Support` or `%APPDATA%`. */
  readonly applications: string;
  /** `~/.config`, on macOS too, or `%APPDATA%`. */
  readonly config: string;
  readonly env: Environment;
  readonly isWindows: boolean;
}

/** The clients' folders on this machine. Throws `configuration` if the environment names no home. */
export function clientFolders(env: Environment, platform = process.platform): ClientFolders {
  const home = userHome(env);
  const isWindows = platform === "win32";
  const roaming = env.APPDATA || join(home, "AppData", "Roaming");
  const config = isWindows ? roaming : env.XDG_CONFIG_HOME || join(home, ".config");
  const applications =
    platform === "darwin" ? join(home, "Library", "Application Support") : config;
  return { home, applications, config, env, isWindows };
}

const withEnv = (key: string, env: Start["env"]) =>
  Object.keys(env).length === 0 ? {} : { [key]: env };
const plain = (_: string, { command, args, env }: Start) => ({
  command,
  args,
  ...withEnv("env", env),
});
const typed = (type: string) => (name: string, start: Start) => ({ type, ...plain(name, start) });
const dollar = (name: string) => `$${name}`;
const braced = (name: string) => `\${${name}}`;
const prefixed = (name: string) => `\${env:${name}}`;

const list: readonly Client[] = [
  {
    id: "claude-code",
    title: "Claude Code",
    format: "json",
    files: ({ home, env }) => [join(env.CLAUDE_CONFIG_DIR || home, ".claude.json")],
    projectFile: ".mcp.json",
    section: ["mcpServers"],
    passes: "all",
    reference: braced,
    entry: typed("stdio"),
    reload: "start a new session of Claude Code, or use /mcp to reconnect",
  },
  {
    id: "claude-desktop",
    clientName: "claude-ai",
    title: "Claude Desktop",
    format: "json",
    files: ({ applications }) => [join(applications, "Claude", "claude_desktop_config.json")],
    section: ["mcpServers"],
    passes: "named",
    entry: plain,
    reload: "quit Claude Desktop and start it again",
  },
  {
    id: "cursor",
    title: "Cursor",
    format: "json",
    files: ({ home }) => [join(home, ".cursor", "mcp.json")],
    projectFile: ".cursor/mcp.json",
    section: ["mcpServers"],
    passes: "named",
    reference: prefixed,
    entry: plain,
    reload: "switch the server on in Cursor's settings, or restart Cursor",
  },
  {
    id: "vscode",
    clientName: "visual studio code",
    title: "VS Code",
    format: "json",
    files: ({ applications }) => [join(applications, "Code", "User", "mcp.json")],
    projectFile: ".vscode/mcp.json",
    section: ["servers"],
    passes: "named",
    reference: prefixed,
    entry: typed("stdio"),
    reload: "start the server in VS Code: MCP: List Servers",
  },
  {
    id: "windsurf",
    title: "Windsurf",
    format: "json",
    files: ({ home }) => [join(home, ".codeium", "windsurf", "mcp_config.json")],
    section: ["mcpServers"],
    passes: "named",
    reference: prefixed,
    entry: plain,
    reload: "refresh the servers in Windsurf's Cascade panel",
  },
  {
    id: "zed",
    title: "Zed",
    format: "json",
    files: ({ config, isWindows }) => [join(config, isWindows ? "Zed" : "zed", "settings.json")],
    section: ["context_servers"],
    passes: "all",
    entry: plain,
    reload: "Zed reads its settings again by itself",
  },
  {
    id: "gemini",
    title: "Gemini CLI",
    format: "json",
    files: ({ home }) => [join(home, ".gemini", "settings.json")],
    projectFile: ".gemini/settings.json",
    section: ["mcpServers"],
    passes: "plain",
    reference: dollar,
    entry: plain,
    reload: "restart Gemini CLI",
  },
  {
    id: "qwen",
    title: "Qwen Code",
    format: "json",
    files: ({ home }) => [join(home, ".qwen", "settings.json")],
    projectFile: ".qwen/settings.json",
    section: ["mcpServers"],
    passes: "plain",
    reference: dollar,
    entry: plain,
    reload: "restart Qwen Code",
  },
  {
    id: "opencode",
    title: "opencode",
    format: "json",
    files: ({ home, env }) => {
      const folder = join(env.XDG_CONFIG_HOME || join(home, ".config"), "opencode");
      return [join(folder, "opencode.json"), join(folder, "opencode.jsonc")];
    },
    projectFile: "opencode.json",
    section: ["mcp"],
    passes: "all",
    reference: (name) => `{env:${name}}`,
    entry: (_, { command, args, env }) => ({
      type: "local",
      command: [command, ...args],
      ...withEnv("environment", env),
    }),
    defaults: { enabled: true },
    reload: "restart opencode",
  },
  {
    id: "copilot",
    title: "Copilot CLI",
    format: "json",
    files: ({ home }) => [join(home, ".copilot", "mcp-config.json")],
    projectFile: ".mcp.json",
    section: ["mcpServers"],
    passes: "all",
    reference: braced,
    entry: typed("local"),
    defaults: { tools: ["*"] },
    reload: "restart Copilot CLI",
  },
  {
    id: "continue",
    title: "Continue",
    format: "yaml",
    files: ({ home }) => [join(home, ".continue", "config.yaml")],
    section: ["mcpServers"],
    isList: true,
    passes: "all",
    reference: (name) => `\${{ secrets.${name} }}`,
    entry: (name, start) => ({ name, ...plain(name, start) }),
    reload: "restart Continue",
  },
  {
    id: "cline",
    title: "Cline",
    format: "json",
    files: ({ home, applications }) => [
      join(home, ".cline", "data", "settings", "cline_mcp_settings.json"),
      join(
        ...([applications, "Code", "User", "globalStorage"] as const),
        ...["saoudrizwan.claude-dev", "settings", "cline_mcp_settings.json"],
      ),
    ],
    section: ["mcpServers"],
    passes: "named",
    entry: (name, start) => ({ transport: { type: "stdio", ...plain(name, start) } }),
    reload: "restart Cline",
  },
  {
    id: "goose",
    title: "goose",
    format: "yaml",
    files: ({ config, isWindows }) => [
      isWindows
        ? join(config, "Block", "goose", "config", "config.yaml")
        : join(config, "goose", "config.yaml"),
    ],
    section: ["extensions"],
    passes: "all",
    entry: (name, { command, args, env }) => ({
      type: "stdio",
      name,
      cmd: command,
      args,
      ...withEnv("envs", env),
    }),
    defaults: { enabled: true, timeout: 300 },
    reload: "start a new session of goose",
  },
  {
    id: "codex",
    title: "Codex",
    format: "toml",
    files: ({ home, env }) => [join(env.CODEX_HOME || join(home, ".codex"), "config.toml")],
    section: ["mcp_servers"],
    passes: "named",
    entry: plain,
    reload: "restart Codex",
  },
  {
    id: "mcporter",
    title: "mcporter",
    format: "json",
    files: ({ home }) => [
      join(home, ".mcporter", "mcporter.json"),
      join(home, ".mcporter", "mcporter.jsonc"),
    ],
    projectFile: "config/mcporter.json",
    section: ["mcpServers"],
    passes: "all",
    reference: braced,
    entry: plain,
    reload: "mcporter reads its file at each call",
  },
];

/** All known clients by id, in the order in which `import` reads their files. */
export const clients: ReadonlyMap<ClientId, Client> = new Map(
  list.map((client) => [client.id, client]),
);

/** The client whose initialize gave this name; undefined for an unknown one. */
export function clientNamed(name: string): Client | undefined {
  const lower = name.toLowerCase();
  return list.find(({ id, clientName = id }) => lower.includes(clientName));
}
