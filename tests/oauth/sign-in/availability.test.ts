import { expect, test } from "bun:test";
import { noSignIn } from "../../../src/oauth/sign-in/availability.ts";
import { ownFolder } from "../../support/folder.ts";
import { oauthInside } from "../../support/oauth-inside.ts";

test.each<[Record<string, string>, string]>([
  [{}, "needs a token: it offers no sign-in"],
  [{ "X-Team": "blue" }, "needs a token: it offers no sign-in"],
  [
    { "X-Team": "blue", "X-Api-Key": "canary-pass" },
    "refuses the configured headers (X-Api-Key), and",
  ],
  [{ "X-Team": "${KEY}" }, "refuses the configured headers (X-Team), and"],
])(
  "of the headers %p, the error names those alone that may hold a credential",
  async (headers, words) => {
    using folder = ownFolder();
    const { context } = oauthInside(folder.path, { url: "https://mcp.example.com/mcp", headers });
    const asked = { challenge: undefined, schemes: ["basic"] };
    const error = await noSignIn(context, asked, AbortSignal.timeout(5000));
    expect(error?.message).toContain(words);
  },
);
