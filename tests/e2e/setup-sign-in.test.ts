import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { startProvider } from "../support/oauth-provider.ts";
import { startProtectedServer } from "../support/oauth-resource.ts";
import { approve } from "../support/oauth-user.ts";
import { keys, Session } from "../support/terminal.ts";

const { down, enter } = keys;

/** Answers the wizard's questions up to the sign-in, and agrees to that. */
async function chooseOAuth(session: Session, choice: string): Promise<void> {
  await session.sees("How do you sign in?");
  session.type(`${choice}${enter}`);
  await session.answers("Description?", "");
  await session.sees("May Codex call");
  session.type(enter);
  await session.sees('Sign in to "crm" now?');
  session.type("y");
}

/** Leaves Codex's configuration alone, and ends. */
async function finish(session: Session): Promise<void> {
  await session.sees("into Codex's configuration now?");
  session.type("n");
  await session.sees("What next?");
  session.type(enter);
}

test("the wizard signs in to a server with OAuth, tests it and continues", async () => {
  using folder = ownFolder();
  const provider = await startProvider();
  const server = await startProtectedServer(provider);
  try {
    const words = ["setup", "--server", "crm", "--url", server.url];
    await using session = new Session(words, { HOME: folder.path });
    // The server was asked: what it wants is the choice already.
    await session.sees(`asks for a sign-in with OAuth at ${new URL(provider.issuer).host}`);
    await chooseOAuth(session, "");
    await session.sees("paste the address");
    const address = session.shown.match(/http:\S+client_id=\S+/)?.[0] ?? "";
    const end = await approve(address);
    session.type(`${end.href}${enter}`);
    await session.sees('Signed in to "crm"');
    await session.sees('Test "crm" now?');
    session.type("y");
    await session.sees("✓ All tests passed!");
    await finish(session);
    await session.sees("Next steps:");
    expect(await session.ended).toBe(0);
    expect(session.shown).not.toContain("codex-mcp-http-bridge login");
    expect(existsSync(join(folder.path, ".codex-mcp-bridge/credentials/crm.json"))).toBe(true);
  } finally {
    await server.close();
    await provider.close();
  }
});

test("a failed sign-in shows the reason, appears among the next steps, and the wizard continues", async () => {
  using folder = ownFolder();
  const words = ["setup", "--server", "crm", "--url", "http://127.0.0.1:1/mcp"];
  await using session = new Session(words, { HOME: folder.path });
  await session.sees("The server could not be reached");
  await chooseOAuth(session, down.repeat(2));
  await session.sees("nothing accepts connections");
  await finish(session);
  await session.sees("codex-mcp-http-bridge login --server crm");
  expect(await session.ended).toBe(0);
  expect(session.shown).not.toContain("Test ");
});
