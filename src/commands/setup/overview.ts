import type { Context } from "../../cli/command.ts";
import type { Config } from "../../config/load.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { mayUseOAuth } from "../../oauth/store/grant-owner.ts";
import { cleanText } from "../../wire/text.ts";
import { instant, signInOf } from "../auth/status-sign-in.ts";
import { readLastTest } from "../test/last-test.ts";

/** One line for each server: its host, whether it is signed in or disabled, and its last test. */
export async function overview({ servers }: Config, context: Context): Promise<string> {
  const lines = [...servers.values()].map(async (server) => {
    const { name, url, isDisabled } = server;
    const facts = [url.host, await access(server, context), ...(isDisabled ? ["disabled"] : [])];
    return cleanText(`${name}: ${[...facts, lastTest(server, context)].join(", ")}`, 200);
  });
  return (await Promise.all(lines)).join("\n");
}

async function access(server: ServerSettings, context: Context): Promise<string> {
  const { type } = server.credential;
  if (type === "none") return "no sign-in";
  if (!mayUseOAuth(server)) return "token";
  const { state, account } = await signInOf(server, context);
  const words = {
    "signed-in": account === undefined ? "signed in" : `signed in as ${account}`,
    "signed-out": type === "unset" ? "no credential" : "not signed in",
    expired: "sign-in expired",
    moved: "signed in on another machine",
    unknown: "sign-in unknown",
  };
  return words[state];
}

function lastTest(server: ServerSettings, { log }: Context): string {
  const last = readLastTest(server, log);
  if (last === undefined) return "never tested";
  const { at, tools } = last;
  const outcome = tools === undefined ? "failed" : `passed with ${tools} tools`;
  return `test ${outcome} ${instant(at)}`;
}
