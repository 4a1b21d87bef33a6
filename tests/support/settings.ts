import type { ServerSettings } from "../../src/config/settings.ts";
import { serverSettings } from "../../src/config/settings-builder.ts";
import { stateOf } from "../../src/platform/paths.ts";

/** Settings of a server without a credential and without retries. */
export function plainSettings(url: URL, changes: Partial<ServerSettings> = {}): ServerSettings {
  return {
    name: "kb",
    url,
    isDisabled: false,
    transport: "auto",
    cookies: true,
    endSession: true,
    trace: true,
    protocol: "auto",
    credential: { type: "none" },
    headers: {},
    timeoutMs: 10_000,
    connectTimeoutMs: 1000,
    keepAliveMs: 0,
    retry: { attempts: 1 },
    network: {},
    limits: { messageBytes: 1024 * 1024 },
    env: [],
    audits: [],
    codex: {},
    home: "/nonexistent",
    state: stateOf("/nonexistent", "kb"),
    ...changes,
  };
}

/** The settings of server "kb" with a valid entry; the entry is not checked. */
export function settingsOf(entry: object, home: string): ServerSettings {
  const whole = { url: "https://kb.example/mcp", ...entry };
  return serverSettings("kb", whole, {}, { home, stateRoot: home });
}
