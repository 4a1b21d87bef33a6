import type { Context } from "../../cli/command.ts";
import { codexEnvironment } from "../../config/codex-environment.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { knowSecrets } from "../../oauth/store/known-secrets.ts";
import { openKeyring } from "../../platform/keyring.ts";
import { type ChildOptions, RunChild } from "./mcp-child.ts";

/**
 * Starts `run` for one server in the environment that Codex would give it, and ends it after `work`. The child answers from
 * the server and saves the catalog for Codex's next start. `knowSecrets` tells the redactor the server's secrets; it is
 * called before `work`, and again by `work` before it shows anything, since the child may have refreshed the token.
 */
export async function withServerChild<T>(
  settings: ServerSettings,
  context: Context,
  options: Pick<ChildOptions, "notified" | "logged">,
  work: (child: RunChild, knowSecrets: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const { configFile, custom } = context.paths();
  const asked = (["trace", "debug"] as const).find((one) => context.log.writes(one)) ?? "error";
  const level = options.logged === undefined ? asked : "debug";
  // `never`: a missing sign-in is reported, and none is started.
  const words = ["run", "--server", settings.name, "--sign-in", "never", "--on-failure", "error"];
  words.push("--log-level", level);
  if (options.logged !== undefined) words.push("--log-format", "json");
  if (custom) words.push("--config-path", configFile);
  const env = { ...codexEnvironment(context.env, settings), CODEX_MCP_BRIDGE_TEST: "1" };
  const child = new RunChild(context, { words, env, ...options });
  const know = () => knowSecrets(settings, { ...context, keyring: openKeyring });
  try {
    await know();
    return await work(child, know);
  } finally {
    await child.end();
  }
}
