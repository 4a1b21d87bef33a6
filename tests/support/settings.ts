import type { ServerSettings } from "../../src/config/settings.ts";
import { stateOf } from "../../src/platform/paths.ts";

/** Settings of a server that needs no credential; nothing is tried twice. */
export function plainSettings(url: URL, changes: Partial<ServerSettings> = {}): ServerSettings {
  return {
    name: "kb",
    url,
    transport: "auto",
    credential: { type: "none" },
    headers: {},
    timeoutMs: 10_000,
    connectTimeoutMs: 1000,
    keepAliveMs: 0,
    retry: { attempts: 1 },
    network: {},
    limits: { messageBytes: 1024 * 1024 },
    env: [],
    codex: {},
    home: "/nonexistent",
    state: stateOf("/nonexistent", "kb"),
    ...changes,
  };
}
