import { describe, expect, test } from "bun:test";
import { ChosenAuthorizer } from "../../../src/oauth/authorizer/select.ts";
import { Redactor } from "../../../src/platform/redact.ts";
import { memoryLog } from "../../support/client.ts";
import { ownFolder } from "../../support/folder.ts";
import { settingsOf } from "../../support/settings.ts";

const signal = new AbortController().signal;
const request = { method: "POST", url: new URL("https://kb.example/mcp") };

/** An authorizer of a server without a stored sign-in, with an access token of another program. */
function authorizer(home: string, expiresAt: number) {
  const settings = {
    ...settingsOf({ headers: { "X-Team": "blue" } }, home),
    foreignToken: { accessToken: "foreign-token", expiresAt },
  };
  const redactor = new Redactor();
  const http = () => Promise.resolve(new Response(null, { status: 404 }));
  const made = new ChosenAuthorizer(settings, {
    http,
    env: {},
    log: memoryLog(),
    redactor,
    login: "login",
    reload: async () => settings,
  });
  const refuse = (sent: Record<string, string>) =>
    made
      .refused({ status: 401, wwwAuthenticate: "Bearer", body: "", sent }, signal)
      .catch((error) => error.kind);
  return { redactor, refuse, headers: () => made.headers(request, signal) };
}

describe("the access token of a sign-in that another program keeps", () => {
  test("is sent while nobody is signed in here, until the server refuses it", async () => {
    using folder = ownFolder();
    const { headers, refuse, redactor } = authorizer(folder.path, Number.POSITIVE_INFINITY);
    const sent = await headers();
    expect(sent).toEqual({ "X-Team": "blue", Authorization: "Bearer foreign-token" });
    expect(redactor.redact("foreign-token")).toBe("...");
    expect(await refuse(sent)).toBe("sign-in-required");
    expect(await headers()).toEqual({ "X-Team": "blue" });
  });

  test("is not sent once it has expired", async () => {
    using folder = ownFolder();
    const { headers } = authorizer(folder.path, Date.now() - 1);
    expect(await headers()).toEqual({ "X-Team": "blue" });
  });
});
