import type { Environment } from "../platform/paths.ts";
import { requirementsOf } from "./requirements.ts";
import type { ServerSettings } from "./settings.ts";

// The variables that Codex CLI 0.169.0 passes to a stdio server (measured). Codex withholds all others.
const inheritedOnPosix = [
  ...["HOME", "LOGNAME", "PATH", "SHELL", "USER", "LANG", "LC_ALL", "TERM", "TMPDIR", "TZ"],
  ...["__CF_USER_TEXT_ENCODING", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"],
  ...["NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT", "CARGO_HTTP_CAINFO"],
  ...["BUNDLE_SSL_CA_CERT", "npm_config_cafile", "NPM_CONFIG_CAFILE"],
];

// On Windows: `WINDOWS_CORE_ENV_VARS` in codex-rs/protocol/src/shell_environment.rs (read, not measured).
const inheritedOnWindows = [
  ...["PATH", "PATHEXT", "SHELL", "COMSPEC", "SYSTEMROOT", "SYSTEMDRIVE", "USERNAME", "USERDOMAIN"],
  ...["USERPROFILE", "HOMEDRIVE", "HOMEPATH", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432"],
  ...["PROGRAMDATA", "LOCALAPPDATA", "APPDATA", "TEMP", "TMP", "TMPDIR", "POWERSHELL", "PWSH"],
];

// Further variables that the bridge reads. Codex passes a variable of this list only if `env_vars` of the entry names it.
const wantedOnPosix = [
  ...["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
  ...["NO_PROXY", "no_proxy", "SSL_CERT_DIR", "CODEX_PROXY_CERT", "CODEX_CA_CERTIFICATE"],
  ...["DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"],
];
// Windows does not distinguish case in names, passes no HOME, and has neither X11, Wayland nor D-Bus.
const wantedOnWindows = [
  ...[
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
  ],
  ...["NODE_EXTRA_CA_CERTS", "CODEX_PROXY_CERT", "CODEX_CA_CERTIFICATE"],
];

const listsOf = (platform: NodeJS.Platform) =>
  platform === "win32"
    ? { inherited: inheritedOnWindows, wanted: wantedOnWindows }
    : { inherited: inheritedOnPosix, wanted: wantedOnPosix };

/** Variables that a server's entry refers to, and the variables of the entry's `env` list. */
export function namedVariables(settings: ServerSettings): string[] {
  const names = requirementsOf(settings).map(({ variable }) => variable);
  return [...names.filter((name) => name !== undefined), ...settings.env];
}

/** `env_vars` of a server's entry in Codex's configuration: the variables that Codex must pass on. */
export function passedVariables(
  settings: ServerSettings,
  platform: NodeJS.Platform = process.platform,
): string[] {
  return [...new Set([...listsOf(platform).wanted, ...namedVariables(settings)])];
}

/** The environment that Codex gives the bridge for this server; `env` is the environment of Codex itself. */
export function codexEnvironment(
  env: Environment,
  settings: ServerSettings,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const reduced: Record<string, string> = {};
  const { inherited } = listsOf(platform);
  const passed = passedVariables(settings, platform);
  // codex-config writes this variable, with its value, into `env` of Codex's entry.
  for (const name of [...inherited, "CODEX_MCP_BRIDGE_TRUST_HOME", ...passed]) {
    const value = env[name];
    if (value !== undefined) reduced[name] = value;
  }
  return reduced;
}
