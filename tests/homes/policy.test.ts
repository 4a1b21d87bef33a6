// The policy of a machine at its fixed place, in a mount namespace with an /etc of its own: npm run test:homes (needs root).
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { type Listing, listing, listingServer } from "../support/listing-server.ts";
import { endOf } from "../support/program.ts";

const bridge = process.env.BRIDGE_BIN ?? "";

let folder: ReturnType<typeof ownFolder>;
let state: Listing;
let server: ReturnType<typeof listingServer>;
beforeEach(() => {
  folder = ownFolder();
  state = { ...listing(), pages: [["get", "delete"]] };
  server = listingServer(state);
  const { url } = server;
  const servers = { kb: { url, auth: { type: "none" }, retry: { attempts: 1 } } };
  const config = JSON.stringify({ version: 1, servers });
  writeFileSync(join(folder.path, "config.json"), config, { mode: 0o600 });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const policyOf = (policy: object) => `cat > policy.json <<'END'
${JSON.stringify({ version: 1, ...policy })}
END
`;

/** Runs a script where /etc/codex-mcp-bridge is as `prepare`, a script in that folder, leaves it. */
async function onMachine(prepare: string | undefined, script: string) {
  const mounts = `set -e
etc=${folder.path}/etc
mkdir -p $etc
mount -t tmpfs tmpfs $etc
cp -a /etc/passwd /etc/hosts $etc
${prepare === undefined ? "" : `mkdir $etc/codex-mcp-bridge; cd $etc/codex-mcp-bridge\n${prepare}`}
mount --bind $etc /etc
cd /
set +e
bridge() { ${bridge} "$@"; }
${script}`;
  const child = Bun.spawn(["unshare", "-m", "sh", "-c", mounts], {
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
      HOME: folder.path,
      CODEX_MCP_BRIDGE_HOME: folder.path,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { code, stdout, stderr } = await endOf(child);
  return { stdout, output: stdout + stderr, code };
}

const line = (message: object) => JSON.stringify({ jsonrpc: "2.0", ...message });
const initialize = line({
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "c", version: "1" },
  },
});
const initialized = line({ method: "notifications/initialized" });
const list = line({ id: 2, method: "tools/list" });
const call = line({ id: 3, method: "tools/call", params: { name: "delete" } });

/** The script that runs the bridge for a client; `words` follow `run`. */
const run = (words = "--server kb") => `{ cat <<'END'
${[initialize, initialized, list, call].join("\n")}
END
} | bridge run ${words}`;

/** The answers on stdout, by id. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
const answersOf = (stdout: string): Record<number, any> =>
  Object.fromEntries(
    stdout
      .split("\n")
      .filter((text) => text.startsWith("{"))
      .map((text) => JSON.parse(text))
      .map((message) => [message.id, message]),
  );

const denies = () => ({
  rules: [{ origin: new URL(server.url).origin, tools: { deny: ["delete"] } }],
});

test("without a policy everything is as config.json says", async () => {
  for (const prepare of [undefined, ":"]) {
    const { stdout, code } = await onMachine(prepare, run());
    expect(code).toBe(0);
    expect(answersOf(stdout)[2].result.tools).toHaveLength(2);
    expect(answersOf(stdout)[3].result).toBeDefined();
  }
});

describe("rules of the machine", () => {
  test.each<[string, () => string]>([
    ["a server of config.json", () => "--server kb"],
    ["the same with a catalog", () => "--server kb"],
    ["without a cache", () => "--server kb --no-cache"],
    ["a URL", () => server.url],
    ["a URL in other letters", () => server.url.replace("http://127.0.0.1", "HTTP://127.1")],
  ])("bind %s", async (name, words) => {
    if (name.includes("catalog")) await onMachine(undefined, run());
    const before = state.seen.length;
    const { stdout } = await onMachine(policyOf(denies()), run(words()));
    const answers = answersOf(stdout);
    expect(answers[2].result.tools.map((tool: { name: string }) => tool.name)).toEqual(["get"]);
    expect(answers[3].error.code).toBe(1451);
    expect(state.seen.slice(before)).not.toContain("tools/call");
  });

  test("bind every server of a combined run", async () => {
    const words = "--server kb --server kb2";
    const two = { url: server.url, auth: { type: "none" } };
    const config = JSON.stringify({ version: 1, servers: { kb: two, kb2: two } });
    writeFileSync(join(folder.path, "config.json"), config, { mode: 0o600 });
    const { stdout } = await onMachine(
      policyOf(denies()),
      run(words).replace('"name":"delete"', '"name":"kb2__delete"'),
    );
    const answers = answersOf(stdout);
    const names = answers[2].result.tools.map((tool: { name: string }) => tool.name);
    expect(names.sort()).toEqual(["kb2__get", "kb__get"]);
    expect(answers[3].error.code).toBe(1451);
    expect(state.seen).not.toContain("tools/call");
  });

  test("are not left by headers or --native", async () => {
    const { output } = await onMachine(
      policyOf({}),
      "bridge headers --server kb; bridge codex-config --server kb --native",
    );
    expect(
      output.match(/policy of this machine \(\/etc\/codex-mcp-bridge\/policy.json\)/g),
    ).toHaveLength(2);
  });

  test("are named by status, with their file", async () => {
    const { stdout } = await onMachine(policyOf(denies()), "bridge status");
    expect(stdout).toContain("tools.deny: delete (/etc/codex-mcp-bridge/policy.json)");
  });
});

describe("a server that the machine does not list", () => {
  const only = policyOf({ origins: ["https://*.example.com"] });

  test.each([
    ["run", () => run()],
    ["run with a URL", () => run(server.url)],
    ["test", () => "bridge test --server kb"],
    ["login", () => `bridge login --server ${server.url}`],
  ])("is not reached by %s", async (_, script) => {
    await onMachine(undefined, run());
    const before = state.seen.length;
    const { output } = await onMachine(only, script());
    expect(output).toContain("the policy does not list the origin");
    expect(state.seen.length).toBe(before);
  });

  test("can be removed", async () => {
    expect((await onMachine(only, "bridge remove kb")).code).toBe(0);
  });
});

const nowhere = "the policy of this machine cannot be read";
/** A script that makes something else in the place of the policy's folder. */
const inPlaceOfFolder = (command: string) =>
  `cd ..; rmdir codex-mcp-bridge; ${command} codex-mcp-bridge`;

test("a policy that this user may not read stops every start", async () => {
  const prepare = `${policyOf({})}chmod 600 policy.json`;
  const nobody = `cp ${bridge} /etc/bridge; mkdir /etc/home; cp ${folder.path}/config.json /etc/home
chown -R 65534:65534 /etc/home; chmod 755 /etc/bridge; chmod 700 /etc/home
env CODEX_MCP_BRIDGE_HOME=/etc/home setpriv --reuid 65534 --regid 65534 --clear-groups /etc/bridge status`;
  const { output, code } = await onMachine(prepare, nobody);
  expect(code).toBe(3);
  expect(output).toContain("cannot read /etc/codex-mcp-bridge/policy.json (EACCES)");
});

test("a policy that begins with a byte order mark binds", async () => {
  const prepare = `printf '\\357\\273\\277' > bom; ${policyOf(denies())}cat policy.json >> bom; mv bom policy.json`;
  const { stdout } = await onMachine(prepare, run());
  expect(answersOf(stdout)[3].error.code).toBe(1451);
});

describe("a policy that cannot be trusted stops every start", () => {
  test.each([
    ["invalid", "echo '{' > policy.json", "policy.json, line"],
    ["of a later version", policyOf({ version: 2 }), "version: expected 1"],
    ["empty", ": > policy.json", "policy.json"],
    ["writable by others", `${policyOf({})}chmod 666 policy.json`, "may be written by others"],
    ["of another user", `${policyOf({})}chown 1000 policy.json`, "belongs to another user"],
    ["in a folder that others may write", `${policyOf({})}chmod 777 .`, "may be written by others"],
    ["a link that leads nowhere", "ln -s nowhere policy.json", "cannot be read"],
    ["a folder", "mkdir policy.json", "policy.json"],
    ["a pipe", "mkfifo policy.json", "not a regular file"],
    ["a circle of links", "ln -s policy.json policy.json", "cannot read"],
    ["larger than a policy can be", "truncate -s 5M policy.json", "is larger than"],
    ["not UTF-8", "printf '{\\377}' > policy.json", "is not UTF-8 text"],
    ["with a key twice", `echo '{"version":1,"rules":[],"rules":[]}' > policy.json`, "rules"],
    ["in a folder that is a link that leads nowhere", inPlaceOfFolder("ln -s nowhere"), nowhere],
    ["in a folder that is a circle of links", inPlaceOfFolder("ln -s codex-mcp-bridge"), "ELOOP"],
    ["in a folder that is a file", inPlaceOfFolder("touch"), nowhere],
    ["in a folder that is a pipe", inPlaceOfFolder("mkfifo"), nowhere],
    ["in a folder that is a device", inPlaceOfFolder("cp -a /dev/null"), nowhere],
  ])("%s", async (_, prepare, words) => {
    await onMachine(undefined, run());
    const before = state.seen.length;
    const { stdout } = await onMachine(prepare, run());
    const [first] = Object.values(answersOf(stdout));
    expect(JSON.stringify(first)).toContain(words);
    expect(state.seen.length).toBe(before);
    const tested = await onMachine(prepare, "bridge status");
    expect(tested).toMatchObject({ code: 3, output: expect.stringContaining(words) });
  });

  test("a combined start, too, and the call of its stand-in's tool", async () => {
    const before = state.seen.length;
    const words = run("--all --on-failure tool").replace(
      '"name":"delete"',
      '"name":"bridge_problem"',
    );
    const { stdout } = await onMachine("ln -s nowhere policy.json", words);
    const answers = answersOf(stdout);
    expect(answers[2].result.tools.map(({ name }: { name: string }) => name)).toEqual([
      "bridge_problem",
    ]);
    // The call may come before the list is answered: then it is an error.
    expect(JSON.stringify(answers[3])).toContain("policy.json cannot be read");
    expect(state.seen.length).toBe(before);
  });

  test("its schema is printed all the same, for whoever mends it", async () => {
    const { stdout, code } = await onMachine(
      "echo '{' > policy.json",
      "bridge setup --schema policy",
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout).properties.origins).toBeDefined();
  });
});
