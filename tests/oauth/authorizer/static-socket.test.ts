import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { StaticAuthorizer } from "../../../src/oauth/authorizer/static.ts";
import { Redactor } from "../../../src/platform/redact.ts";
import { authorize } from "../../../src/upstream/transport/authorize.ts";
import { plainHttp } from "../../support/client.ts";
import { ownFolder } from "../../support/folder.ts";
import { settingsOf } from "../../support/settings.ts";

/** A server that takes the token `new` alone, and a call to it with the token of a file. */
async function call(tokens: readonly string[]) {
  using folder = ownFolder();
  const seen: (string | null)[] = [];
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const sent = request.headers.get("authorization");
      seen.push(sent);
      if (sent === "Bearer forbidden") return new Response("", { status: 403 });
      return new Response("", { status: sent === "Bearer new" ? 200 : 401 });
    },
  });
  const url = new URL(`http://127.0.0.1:${server.port}/mcp`);
  const kb = settingsOf({ url: url.href, tokenFile: "t" }, folder.path);
  const deps = { env: {}, redactor: new Redactor(), reload: () => kb };
  const authorizer = new StaticAuthorizer(kb, deps);
  const signal = new AbortController().signal;
  for (const token of tokens) {
    writeFileSync(join(folder.path, "t"), token, { mode: 0o600 });
    // The first is read now, the others are only found after a refusal.
    await authorizer.headers({}, signal);
  }
  const http = authorize(plainHttp(url), authorizer);
  const outcome = await http({ method: "POST", url, headers: {}, body: "{}", signal }).then(
    (response) => response.status,
    (error) => error.kind,
  );
  return { outcome, seen };
}

test("a call succeeds with a token that was written to the file after the last request", async () => {
  expect(await call(["old", "new"])).toEqual({ outcome: 200, seen: ["Bearer old", "Bearer new"] });
});

test("a refused token is not sent a second time", async () => {
  expect(await call(["old"])).toEqual({ outcome: "unauthorized", seen: ["Bearer old"] });
});

test("a forbidden call is not repeated", async () => {
  expect(await call(["forbidden"])).toEqual({ outcome: "forbidden", seen: ["Bearer forbidden"] });
});
