import { expect, test } from "bun:test";
import { ownFolder } from "../../support/folder.ts";
import { bridgeHome, signIn } from "../../support/oauth-bridge.ts";
import { oauthServers } from "../../support/oauth-servers.ts";
import { programWords, runProgram } from "../../support/program.ts";
import { keys, Session } from "../../support/terminal.ts";

const servers = oauthServers();

/** Says the program's pid first, and afterwards how it ended and what state it left the terminal in. */
const shell = [
  "sh",
  "-c",
  `trap : INT; sh -c 'echo "pid $$."; exec "$@"' sh "$@"; echo "exit $?"; stty -a; echo end`,
  "sh",
];

async function begin(folder: string) {
  const home = await bridgeHome(folder, { url: servers.resource.url });
  await signIn(home);
  const program = [...shell, ...programWords];
  const session = new Session(["credentials", "export", "-s", "kb"], home.env, { program });
  await session.sees("Passphrase for the exported sign-in: ");
  const pid = Number(/pid (\d+)\./.exec(session.shown)?.[1]);
  return { home, session, pid };
}

test.each<[string, number, (session: Session, pid: number) => void]>([
  ["Ctrl-C", 130, (session) => session.type(keys.interrupt)],
  ["SIGTERM", 143, (_, pid) => process.kill(pid, "SIGTERM")],
  ["SIGHUP", 129, (_, pid) => process.kill(pid, "SIGHUP")],
])(
  "%s at the passphrase ends the command with %p, and the terminal shows again what is typed",
  async (_, code, end) => {
    using folder = ownFolder();
    const { home, session, pid } = await begin(folder.path);
    await using _session = session;
    end(session, pid);
    await session.sees(`exit ${code}`);
    await session.sees("end");
    expect(session.shown).toMatch(/ echo /);
    expect((await home.stored()).grant).toBeDefined();
  },
);

test("a passphrase is asked for twice, and not shown", async () => {
  using folder = ownFolder();
  const { home, session } = await begin(folder.path);
  await using _session = session;
  session.type("correct horse\r");
  await session.answers("Once more: ", "correct horse");
  await session.sees("exit 0");
  await session.sees("end");
  expect(session.shown).not.toContain("correct horse");
  expect(session.shown).toMatch(/ echo /);
  expect((await home.stored()).grant).toBeUndefined();
});

test("an empty passphrase is replaced by a generated one, which only the terminal shows and which decrypts the text", async () => {
  using folder = ownFolder();
  const { home, session } = await begin(folder.path);
  await using _session = session;
  session.type("\r");
  await session.sees("exit 0");
  const made = /The passphrase is (\S+) /.exec(session.shown)?.[1] ?? "";
  expect(made).toMatch(/^(?:[a-z0-9]{5}-){3}[a-z0-9]{5}$/);
  const encrypted = /codex-mcp-http-bridge-sign-in\S+/.exec(
    session.shown.replace(/[\r\n]/g, ""),
  )?.[0];
  const words = ["credentials", "import", "--passphrase-fd", "0"];
  const stdin = `${made}\n${encrypted?.replace(/The.*/, "")}`;
  const { code, stderr } = await runProgram(words, { env: home.env, stdin });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
