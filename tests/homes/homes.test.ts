// Homes and secrets as orchestrators mount them, with the mounts themselves: npm run test:homes (needs root).
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { listing, listingServer } from "../support/listing-server.ts";
import { endOf } from "../support/program.ts";

const uid = 1_000_650_000;
const bridge = process.env.BRIDGE_BIN ?? "";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

interface Ran {
  readonly code: number;
  readonly output: string;
}

/** Runs a shell script on those mounts as a user that no list of users knows; `bridge` is the program. */
async function inPod(
  mounts: readonly string[],
  script: string,
  env: Readonly<Record<string, string>>,
  groups = "0",
): Promise<Ran> {
  writeFileSync(join(folder.path, "mounts"), mounts.map((line) => `${line}\n`).join(""));
  const pod = [join(import.meta.dir, "pod.sh"), folder.path, String(uid), groups, bridge];
  const words = [
    "unshare",
    "-m",
    "sh",
    ...pod,
    "/bin/sh",
    "-c",
    `bridge() { /run/bridge "$@"; }\n${script}`,
  ];
  const child = Bun.spawn(words, {
    env: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { code, stdout, stderr } = await endOf(child);
  return { code, output: stdout + stderr };
}

/** Sets a server up, reaches it, and shows the modes of what was written. */
function life(home: string): string {
  const { url } = listingServer(listing());
  return `set -e
echo canary-token-1 | bridge setup --server kb --url ${url} --token-stdin >/dev/null
bridge test --server kb >/dev/null
bridge status
cd ${home}; stat -c '%a %n' . config.json cache cache/kb.json`;
}

const modes = /\n(\d+) \.\n600 config\.json\n700 cache\n600 cache\/kb\.json\n/;

describe("a home on a mount that only this pod has", () => {
  test.each([
    ["an emptyDir, which all may write", ["emptydir /srv/data 0777 0:0"]],
    ["an emptyDir in memory", ["pod", "memory /srv/data 0777 0:0"]],
    ["an emptyDir with an fsGroup", ["emptydir /srv/data 2777 0:2000"]],
    ["an emptyDir of another user", ["emptydir /srv/data 0775 1001:0"]],
    ["a folder of an image that gives it to group 0", ["pod", "folder /srv/data 0775 1001:0"]],
    ["a folder below an emptyDir's", ["emptydir /srv/data 0777 0:0"]],
  ])("%s: the bridge makes its own closed folder in it", async (name, mounts) => {
    const HOME = name.startsWith("a folder below") ? "/srv/data/a/b" : "/srv/data";
    const ran = await inPod(mounts, life(`${HOME}/.codex-mcp-bridge`), { HOME }, "0,2000");
    expect(ran.output).toMatch(modes);
    expect(ran).toMatchObject({ code: 0, output: expect.stringContaining("\n700 .\n") });
  });

  test("may be the home itself", async () => {
    const env = { CODEX_MCP_BRIDGE_HOME: "/srv/data" };
    const ran = await inPod(["emptydir /srv/data 0777 0:0"], life("/srv/data"), env);
    expect(ran.output).toMatch(modes);
    expect(ran.code).toBe(0);
  });
});

describe("a home on a mount that others may have", () => {
  const cases: [what: string, mounts: string[], why: string][] = [
    [
      "a volume that outlives the pod",
      ["pod", "volume /srv/data 0777 0:0"],
      "may be written by others",
    ],
    [
      "a volume with an fsGroup",
      ["pod", "volume /srv/data 2775 0:2000"],
      "may be written by others",
    ],
    [
      "a volume of another user",
      ["pod", "volume /srv/data 0755 1001:0"],
      "belongs to another user",
    ],
    [
      "a file system in memory outside of a pod",
      ["memory /srv/data 0777 0:0"],
      "may be written by others",
    ],
    ["a folder outside of a pod", ["folder /srv/data 0777 0:0"], "may be written by others"],
  ];
  const write = (home: string) =>
    `mkdir -p -m 700 ${home} 2>/dev/null; echo canary-token-1 | bridge setup --server kb --url https://kb.example/mcp --token-stdin`;

  test.each(cases)("is refused: %s", async (_, mounts, why) => {
    const env = { HOME: "/srv/data" };
    const ran = await inPod(mounts, write("/srv/data/.codex-mcp-bridge"), env, "0,2000");
    expect(ran.code).toBe(3);
    // A volume of another user cannot be written at all.
    if (why === "may be written by others") {
      expect(ran.output).toContain(`/srv/data ${why}`);
      expect(ran.output).toContain("CODEX_MCP_BRIDGE_TRUST_HOME=1");
    }
    // Nobody can change owners or modes there.
    expect(ran.output).toContain("CODEX_MCP_BRIDGE_HOME");
    expect(ran.output).not.toMatch(/chmod|chown|sudo/);
  });

  test.each(cases.filter(([, , why]) => why === "may be written by others"))(
    "is accepted where the user says so: %s",
    async (_, mounts) => {
      const env = { HOME: "/srv/data", CODEX_MCP_BRIDGE_TRUST_HOME: "1" };
      const ran = await inPod(mounts, life("/srv/data/.codex-mcp-bridge"), env, "0,2000");
      expect(ran.output).toMatch(modes);
      expect(ran).toMatchObject({ code: 0, output: expect.stringContaining("\n700 .\n") });
    },
  );

  test.each(["0", "true", "yes", ""])(
    "CODEX_MCP_BRIDGE_TRUST_HOME=%j says nothing",
    async (word) => {
      const env = { HOME: "/srv/data", CODEX_MCP_BRIDGE_TRUST_HOME: word };
      const ran = await inPod(
        ["folder /srv/data 0777 0:0"],
        write("/srv/data/.codex-mcp-bridge"),
        env,
      );
      expect(ran.code).toBe(3);
    },
  );

  test("what another user put there is refused all the same", async () => {
    const env = { HOME: "/srv/data", CODEX_MCP_BRIDGE_TRUST_HOME: "1" };
    const config = join(folder.path, "config.json");
    writeFileSync(config, '{"servers":{"kb":{"url":"https://hostile.example/"}}}');
    const mounts = [
      "folder /srv/data 0777 0:0",
      "folder /srv/data/.codex-mcp-bridge 0777 0:0",
      `file /srv/data/.codex-mcp-bridge/config.json 0644 1001:0 ${config}`,
    ];
    const ran = await inPod(mounts, "bridge status", env);
    expect(ran.code).toBe(3);
    expect(ran.output).toContain("config.json belongs to another user");
  });

  test("a home that nobody can write is told with what helps there", async () => {
    const ran = await inPod(["pod"], write("/nowhere"), { HOME: "/" });
    expect(ran.code).toBe(3);
    expect(ran.output).toContain("cannot make the folder /.codex-mcp-bridge (EACCES)");
    expect(ran.output).toContain(
      `set CODEX_MCP_BRIDGE_HOME to a folder that user ${uid} may write`,
    );
  });
});

describe("tokenFile on a mount", () => {
  const token = "canary-token-of-a-mount";
  /** Whether a request carries the token that stands in the file. */
  const script = (file: string) => {
    const { url } = listingServer(listing());
    return `mkdir -p -m 700 /srv/home; export CODEX_MCP_BRIDGE_HOME=/srv/home
echo '{"servers":{"kb":{"url":"${url}","tokenFile":"${file}"}}}' >/srv/home/config.json; chmod 600 /srv/home/config.json
bridge headers --server kb`;
  };
  const home = `folder /srv 0755 ${uid}:0`;
  const own = (name: string) => {
    const path = join(folder.path, name);
    writeFileSync(path, `${token}\n`);
    return path;
  };
  /** The folder of a Kubernetes secret: links to the version of the moment. */
  const secretFolder = (owner: string, mode: number) => {
    const path = join(folder.path, "secret");
    mkdirSync(join(path, "..2026_11_28"), { recursive: true });
    const file = join(path, "..2026_11_28/token");
    writeFileSync(file, token);
    chmodSync(file, mode);
    Bun.spawnSync(["chown", "-R", owner, path]);
    symlinkSync("..2026_11_28", join(path, "..data"));
    symlinkSync("..data/token", join(path, "token"));
    return path;
  };

  test("of Compose, owned by the user of the host, is read", async () => {
    for (const point of ["/run/secrets/token", "/run/secrets/app/token"]) {
      const mounts = [home, `file ${point} 0444 1234:1234 ${own("token")}`];
      const ran = await inPod(mounts, script(point), {});
      expect(ran.output).toContain(token);
      expect(ran.code).toBe(0);
    }
  });

  test("of Compose, mounted read-only in any place, is read", async () => {
    const mounts = [
      home,
      `file /srv/app/token 0444 1234:1234 ${own("token")}`,
      "read-only /srv/app/token",
    ];
    expect((await inPod(mounts, script("/srv/app/token"), {})).output).toContain(token);
  });

  test.each([
    ["root", "0:0", 0o444],
    ["root, readable by its fsGroup", "0:2000", 0o440],
    ["another user", "1234:2000", 0o440],
  ])("of Kubernetes, owned by %s, is read", async (_, owner, mode) => {
    const from = secretFolder(owner, mode);
    const mounts = [home, `memory /srv/secret 1777 0:0 ${from}`, "read-only /srv/secret"];
    const ran = await inPod(mounts, script("/srv/secret/token"), {}, "0,2000");
    expect(ran.output).toContain(token);
  });

  test("in a folder of another user that is mounted read-only is read", async () => {
    const from = secretFolder("1234:1234", 0o444);
    const mounts = [home, `volume /srv/secret 0755 1234:1234 ${from}`, "read-only /srv/secret"];
    expect((await inPod(mounts, script("/srv/secret/token"), {})).output).toContain(token);
  });

  test.each([
    [
      "another user's on a mount that can be written",
      "/srv/app/token",
      "0444",
      "belongs to another user",
    ],
    [
      "one that others may write, below /run/secrets",
      "/run/secrets/token",
      "0646",
      "may be written by others",
    ],
  ])("is refused: %s", async (_, point, mode, why) => {
    const mounts = [home, `file ${point} ${mode} 1234:1234 ${own("token")}`];
    const ran = await inPod(mounts, script(point), {});
    expect(ran.output).toContain(`${point} ${why}`);
    expect(ran.output).not.toContain(token);
    expect(ran.output).not.toMatch(/chmod|chown|sudo/);
    expect(ran.code).toBe(3);
  });

  test("that this user cannot read is told with what helps there", async () => {
    const mounts = [home, `file /run/secrets/token 0400 1234:1234 ${own("token")}`];
    const ran = await inPod(mounts, script("/run/secrets/token"), {});
    expect(ran.output).toContain("cannot read /run/secrets/token (EACCES)");
    expect(ran.output).toContain(`let user ${uid} read it`);
  });

  test("a folder that only says that it is /run/secrets is judged as others", async () => {
    const mounts = [home, `file /srv/run/secrets/token 0444 1234:1234 ${own("token")}`];
    const ran = await inPod(mounts, script("/srv/run/secrets/token"), {});
    expect(ran.output).toContain("belongs to another user");
  });
});

describe("an audit on a disk that is full", () => {
  const words = [
    {
      id: 1,
      method: "initialize",
      params: {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "t", version: "1" },
      },
    },
    { method: "notifications/initialized" },
    ...[2, 3, 4].map((id) => ({
      id,
      method: "tools/call",
      params: { name: "look", arguments: {} },
    })),
  ].map((message) => JSON.stringify({ jsonrpc: "2.0", ...message }));

  test("refuses the call, does not send it, and goes on once there is room", async () => {
    const state = listing();
    const { url } = listingServer(state);
    const session = join(folder.path, "session");
    writeFileSync(session, words.map((line) => `${line}\n`).join(""));
    chmodSync(folder.path, 0o755);
    const entry = `{"url":"${url}","audit":{"file":"/srv/audit/kb.jsonl"}}`;
    const script = `mkdir -p -m 700 /srv/home; export CODEX_MCP_BRIDGE_HOME=/srv/home
echo '{"servers":{"kb":${entry}}}' >/srv/home/config.json; chmod 600 /srv/home/config.json
dd if=/dev/zero of=/srv/audit/filler bs=4096 2>/dev/null
bridge run --server kb <${session}
rm /srv/audit/filler
bridge run --server kb <${session}
cat /srv/audit/kb.jsonl`;
    const mounts = [`folder /srv 0755 ${uid}:0`, `small /srv/audit 0700 ${uid}:0`];
    const ran = await inPod(mounts, script, {});
    expect(ran.output).toContain("the disk is full");
    expect(ran.output).toContain('"kind":"refused"');
    expect(state.seen.filter((method) => method === "tools/call")).toHaveLength(3);
    expect(ran.output.match(/"outcome":"ok"/g)).toHaveLength(3);
  });
});
