import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { keys, Session } from "../support/terminal.ts";

const { down, enter, interrupt } = keys;
const url = "https://kb.example.com/mcp";
let folder: ReturnType<typeof ownFolder>;
let home: string;
beforeEach(() => {
  folder = ownFolder();
  home = join(folder.path, ".codex-mcp-bridge");
});
afterEach(() => folder[Symbol.dispose]());

const setup = (...words: string[]) => new Session(["setup", ...words], { HOME: folder.path });
const saved = () => JSON.parse(readFileSync(join(home, "config.json"), "utf8"));
const save = (servers: object) => {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "config.json"), JSON.stringify({ servers }), { mode: 0o600 });
};

/** Answers what follows the credential, then finishes. */
async function finish(session: Session, description = ""): Promise<void> {
  await session.answers("Description?", description);
  await session.sees("May Codex call");
  session.type(enter);
  await session.sees("Saved");
  await decline(session);
  await session.sees("What next?");
  session.type(enter);
}

/** Says no to what is offered after a server was saved. */
async function decline(session: Session): Promise<void> {
  // The test, or the sign-in that must come before.
  await session.sees('" now?');
  session.type("n");
  await session.sees("into Codex's configuration now?");
  session.type("n");
}

test("the wizard adds a server, and its token is never shown", async () => {
  await using session = setup();
  await session.sees(`A new configuration: ${home}/config.json`);
  await session.answers("Name of the server?", "kb");
  await session.answers("URL?", url);
  await session.sees("How do you sign in?");
  session.type(enter);
  await session.answers("Token?", "  canary-token-0123456789 ");
  await finish(session, "My knowledge base");
  await session.sees("codex-mcp-http-bridge test --server kb");
  await session.sees("codex-mcp-http-bridge codex-config --server kb --write");
  await session.sees("Restart Codex");
  expect(await session.ended).toBe(0);
  expect(saved()).toEqual({
    $schema: "./config.schema.json",
    version: 1,
    servers: { kb: { url, token: "canary-token-0123456789", description: "My knowledge base" } },
  });
  expect(session.shown).not.toContain("canary");
  expect(statSync(home).mode & 0o777).toBe(0o700);
  expect(statSync(join(home, "config.json")).mode & 0o777).toBe(0o600);
  expect(statSync(join(home, "config.schema.json")).mode & 0o777).toBe(0o600);
});

test("the wizard reports an invalid name, URL and token at once", async () => {
  await using session = setup();
  await session.answers("Name of the server?", "my server");
  await session.sees("expected a name of letters");
  session.type(`\u0015${"\u007f".repeat(9)}kb${enter}`);
  await session.answers("URL?", "http://kb.example.com/mcp");
  await session.sees("ssh -L");
  session.type(`${"\u007f".repeat(30)}${url}${enter}`);
  await session.sees("How do you sign in?");
  session.type(enter);
  await session.answers("Token?", "Bearer canary");
  await session.sees('without the word "Bearer"');
  session.type(`${"\u007f".repeat(20)}canary${enter}`);
  await finish(session);
  expect(await session.ended).toBe(0);
  expect(saved().servers).toEqual({ kb: { url, token: "canary" } });
});

test("the wizard adds several servers in a row, each with another credential type", async () => {
  await using session = setup();
  const add = async (name: string, choice: number) => {
    await session.answers("Name of the server?", name);
    await session.answers("URL?", url);
    await session.sees("How do you sign in?");
    session.type(`${down.repeat(choice)}${enter}`);
  };
  const next = async (approval: number) => {
    await session.answers("Description?", "");
    await session.sees("May Codex call");
    session.type(`${down.repeat(approval)}${enter}`);
    await session.sees("Saved");
    await decline(session);
    await session.sees("What next?");
  };
  await add("key", 1);
  await session.answers("Name of the header?", "");
  await session.answers("Key?", "canary-key-1");
  await next(1);
  // Finish stands last and is chosen: three up is Add.
  session.type(`${keys.up.repeat(3)}${enter}`);
  await add("oauth", 2);
  await next(0);
  session.type(`${keys.up.repeat(3)}${enter}`);
  await session.answers("Name of the server?", "OAUTH");
  await session.sees('"oauth" is there already');
  session.type(`${"\u007f".repeat(5)}open${enter}`);
  await session.answers("URL?", "http://localhost:1/mcp");
  await session.sees("How do you sign in?");
  session.type(`${down.repeat(3)}${enter}`);
  await next(3);
  session.type(enter);
  await session.sees("login --server oauth");
  expect(await session.ended).toBe(0);
  expect(saved().servers).toEqual({
    key: {
      url,
      headers: { "X-Api-Key": "canary-key-1" },
      auth: { type: "none" },
      codex: { approval: "approve" },
    },
    oauth: { url, auth: { type: "oauth" } },
    open: { url: "http://localhost:1/mcp", auth: { type: "none" }, codex: { approval: "prompt" } },
  });
  expect(session.shown).not.toContain("canary");
});

test("the wizard offers the configured values, and keeps unchanged ones", async () => {
  save({
    kb: { url: `${url}?key=canary`, access_token: "canary-token", description: "old" },
    other: { url, token: "t" },
  });
  await using session = setup();
  await session.sees('with "kb", "other"');
  await session.sees("What next?");
  session.type(`${down}${enter}`);
  await session.sees("Which server?");
  session.type(enter);
  await session.sees("Which URL?");
  session.type(enter);
  await session.sees("How do you sign in?");
  session.type(enter);
  await session.sees("Description?");
  session.type(`${"\u007f".repeat(3)}new${enter}`);
  await session.sees("May Codex call");
  session.type(enter);
  await session.sees("Saved");
  await decline(session);
  await session.sees("What next?");
  session.type(enter);
  expect(await session.ended).toBe(0);
  expect(saved().servers).toEqual({
    kb: { url: `${url}?key=canary`, token: "canary-token", description: "new" },
    other: { url, token: "t" },
  });
  expect(session.shown).not.toContain("canary");
});

test("after a change of host the wizard asks for a new credential and deletes the sign-in", async () => {
  save({ kb: { url, token: "canary-old", headers: { "X-Key": "canary-key" } } });
  for (const name of ["credentials", "cache"]) {
    mkdirSync(join(home, name));
    writeFileSync(join(home, name, "kb.json"), "{}", { mode: 0o600 });
  }
  await using session = setup("--server", "kb");
  await session.sees("Which URL?");
  session.type(`${down}${enter}`);
  await session.answers("https://host.example/mcp", "https://other.example.com/mcp");
  await session.sees("the old credential is not sent there");
  await session.sees("How do you sign in?");
  session.type(enter);
  await session.answers("Token?", "new-token");
  await finish(session);
  expect(await session.ended).toBe(0);
  expect(saved().servers).toEqual({
    kb: { url: "https://other.example.com/mcp", token: "new-token" },
  });
  expect(existsSync(join(home, "credentials/kb.json"))).toBe(false);
  expect(existsSync(join(home, "cache/kb.json"))).toBe(false);
  expect(session.shown).not.toContain("Keep what is configured");
});

test("a token that is pasted before its question is not shown", async () => {
  await using session = setup("--server", "kb", "--url", url);
  await session.sees("How do you sign in?");
  session.type(enter);
  for (let piece = 0; piece < 200; piece++) {
    session.type("canary");
    await Bun.sleep(0);
  }
  await session.sees("Token?");
  session.type(interrupt);
  expect(await session.ended).toBe(130);
  expect(session.shown).not.toContain("canary");
});

test("the wizard removes a server after confirmation", async () => {
  save({ kb: { url, token: "t" }, crm: { url, token: "u" } });
  await using session = setup();
  await session.sees("What next?");
  session.type(`${down.repeat(2)}${enter}`);
  await session.sees("Which server is to be removed?");
  session.type(enter);
  await session.sees('Remove "kb"');
  session.type(`y`);
  await session.sees('Removed "kb"');
  await session.sees("What next?");
  session.type(enter);
  await session.sees("codex-config --server kb --remove");
  expect(await session.ended).toBe(0);
  expect(Object.keys(saved().servers)).toEqual(["crm"]);
});

test("the wizard does not ask for values given as options", async () => {
  await using session = setup("--server", "kb", "--url", url);
  await session.sees("How do you sign in?");
  session.type(`${down.repeat(3)}${enter}`);
  await finish(session);
  expect(await session.ended).toBe(0);
  expect(session.shown).not.toContain("Name of the server?");
  expect(session.shown).not.toContain("URL?");
});

const places: [question: string, answers: string[]][] = [
  ["Name of the server?", []],
  ["URL?", [`kb${enter}`]],
  ["How do you sign in?", [`kb${enter}`, `${url}${enter}`]],
  ["Token?", [`kb${enter}`, `${url}${enter}`, enter]],
  ["Description?", [`kb${enter}`, `${url}${enter}`, enter, `tok${enter}`]],
  ["May Codex call", [`kb${enter}`, `${url}${enter}`, enter, `tok${enter}`, enter]],
];

test.each(places)("Ctrl-C at %s exits with 130 and writes nothing", async (question, answers) => {
  await using session = setup();
  const questions = places.map(([each]) => each);
  for (const [at, answer] of answers.entries()) {
    await session.sees(questions[at] ?? "");
    session.type(answer);
  }
  await session.sees(question);
  session.type(interrupt);
  expect(await session.ended).toBe(130);
  expect(session.shown).toContain("setup was cancelled: nothing more was saved");
  expect(existsSync(home)).toBe(false);
});

test("a broken configuration stops the wizard before its first question", async () => {
  mkdirSync(home);
  writeFileSync(join(home, "config.json"), '{"servers":', { mode: 0o600 });
  await using session = setup();
  expect(await session.ended).toBe(3);
  expect(session.shown).toContain("line 1, column 12: ends early");
  expect(session.shown).not.toContain("Name of the server?");
  expect(readdirSync(home)).toEqual(["config.json"]);
});

test("a pasted token with line breaks is joined, and pasted text of several lines is one answer", async () => {
  await using session = setup();
  const paste = (text: string) => session.type(`\u001b[200~${text}\u001b[201~`);
  await session.answers("Name of the server?", "kb");
  await session.sees("URL?");
  paste(`{\r  "kb": {\r    "url": "${url}"\r  }\r}\r`);
  session.type(enter);
  await session.sees("How do you sign in?");
  // A paste into a question that takes no text answers nothing.
  paste("canary\r");
  session.type(enter);
  await session.sees("Token?");
  paste("canary-token-\r0123456789\r");
  session.type(enter);
  await finish(session);
  expect(await session.ended).toBe(0);
  expect(saved().servers).toEqual({ kb: { url, token: "canary-token-0123456789" } });
  expect(session.shown).not.toContain("canary");
});

test.each([{ TERM: "dumb" }, { NO_COLOR: "1" }, { LANG: "C" }])(
  "the wizard asks in plain lines under %j",
  async (env) => {
    await using session = new Session(["setup"], { HOME: folder.path, ...env });
    await session.answers("Name of the server?", "my server");
    await session.sees("expected a name of letters");
    await session.answers("Name of the server?", "kb");
    await session.answers("URL?", url);
    await session.sees("1. Access token");
    await session.answers("1 to 4?", "");
    await session.answers("Token?", "canary-token-0123456789");
    await session.answers("Description?", "");
    await session.answers("1 to 5? [1]", "9");
    await session.answers("1 to 5? [1]", "");
    await session.answers('Test "kb" now?', "n");
    await session.answers("into Codex's configuration now?", "n");
    await session.answers("1 to 4? [4]", "");
    await session.sees("Next steps:");
    expect(await session.ended).toBe(0);
    expect(saved().servers).toEqual({ kb: { url, token: "canary-token-0123456789" } });
    expect(session.painted.replaceAll(/[\r\n]/g, "")).toMatch(/^[ -~]*$/);
    expect(session.shown).not.toContain("canary");
  },
);
