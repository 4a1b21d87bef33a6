import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileSystemError } from "../../src/platform/file-permissions.ts";
import {
  makePrivateFolder,
  readChecked,
  readSecretFile,
  writeAtomically,
} from "../../src/platform/files.ts";
import { failure } from "../support/failure.ts";
import { ownFolder } from "../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
let file: string;

beforeEach(() => {
  folder = ownFolder();
  file = join(folder.path, "a.json");
});
afterEach(() => folder[Symbol.dispose]());

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const read = (path: string) => readChecked(path, 1000)?.text;

describe("reading", () => {
  test("returns the text, or undefined if there is no file", () => {
    writeFileSync(file, "text", { mode: 0o600 });
    expect(read(file)).toBe("text");
    expect(read(join(folder.path, "b"))).toBeUndefined();
    expect(read(join(file, "b"))).toBeUndefined();
  });

  test.each([0o620, 0o602])("refuses a file that others may write (%o)", (mode) => {
    writeFileSync(file, "text");
    chmodSync(file, mode);
    const error = failure(() => read(file));
    expect(error.message).toBe(`${file} may be written by others`);
    expect(error.hint).toBe(`run chmod go-w ${file}`);
  });

  test("refuses a file in a folder that others may write", () => {
    const shared = join(folder.path, "it's shared");
    mkdirSync(shared);
    chmodSync(shared, 0o775);
    writeFileSync(join(shared, "a"), "text", { mode: 0o600 });
    const error = failure(() => read(join(shared, "a")));
    expect(error.message).toBe(`${shared} may be written by others`);
    expect(error.hint).toBe(`run chmod go-w '${folder.path}/it'\\''s shared'`);
  });

  test("accepts a world-writable sticky folder such as /tmp", () => {
    const sticky = join(folder.path, "tmp");
    mkdirSync(sticky);
    chmodSync(sticky, 0o1777);
    writeFileSync(join(sticky, "a"), "text", { mode: 0o600 });
    expect(read(join(sticky, "a"))).toBe("text");
  });

  test("refuses a file or folder of another user", () => {
    writeFileSync(file, "text", { mode: 0o600 });
    // Only root may give a file away; anybody else becomes another user than the file's.
    const own = process.getuid?.() ?? 0;
    const isRoot = own === 0;
    using other = isRoot ? undefined : spyOn(process, "getuid").mockReturnValue(own + 1);
    if (isRoot) chownSync(file, 12_345, 12_345);
    const error = failure(() => read(file));
    if (isRoot) {
      expect(error.message).toBe(`${file} belongs to another user`);
      expect(error.hint).toBe(`run chown 0 ${file}`);
    } else {
      expect(other).toHaveBeenCalled();
      expect(error.message).toEndWith("belongs to another user");
    }
  });

  test("refuses a secret of another user, who may change it at any time", () => {
    writeFileSync(file, "text", { mode: 0o444 });
    const own = process.getuid?.() ?? 0;
    using _ = own === 0 ? undefined : spyOn(process, "getuid").mockReturnValue(own + 1);
    if (own === 0) chownSync(file, 12_345, 12_345);
    expect(failure(() => readSecretFile(file, "token")).message).toContain("another user");
  });

  test("checks the target of a symlink, the folder of the link and the folder of the target", () => {
    const far = join(folder.path, "far");
    mkdirSync(far);
    writeFileSync(join(far, "real"), "text", { mode: 0o600 });
    symlinkSync("far/real", file);
    expect(read(file)).toBe("text");
    chmodSync(far, 0o777);
    expect(failure(() => read(file)).message).toBe(`${far} may be written by others`);
    chmodSync(far, 0o700);
    const open = join(folder.path, "open");
    mkdirSync(open);
    symlinkSync("../far/real", join(open, "link"));
    chmodSync(open, 0o777);
    expect(failure(() => read(join(open, "link"))).message).toContain(open);
  });

  test("follows the two symlinks of a Kubernetes secret", () => {
    const mount = join(folder.path, "mount");
    mkdirSync(join(mount, "..2026_11_23"), { recursive: true });
    chmodSync(mount, 0o1777);
    writeFileSync(join(mount, "..2026_11_23/token"), "tok\n", { mode: 0o400 });
    symlinkSync("..2026_11_23", join(mount, "..data"));
    symlinkSync("..data/token", join(mount, "token"));
    expect(readSecretFile(join(mount, "token"), "token")).toBe("tok");
  });

  test("refuses anything but a regular file, without blocking on a FIFO", async () => {
    expect(failure(() => read(folder.path)).message).toContain("is not a regular file");
    await Bun.spawn(["mkfifo", "-m", "600", file]).exited;
    expect(failure(() => read(file)).message).toContain("is not a regular file");
  });

  test("refuses a circle of symlinks", () => {
    symlinkSync("a.json", file);
    expect(failure(() => read(file)).message).toContain("ELOOP");
    expect(failure(() => writeAtomically(file, "x")).message).toContain("circle of symlinks");
  });

  test("refuses a file over the limit, and reads one of exactly the limit", () => {
    writeFileSync(file, "x".repeat(1001), { mode: 0o600 });
    expect(failure(() => read(file)).message).toContain("larger than 1000 bytes");
    writeFileSync(file, "x".repeat(1000), { mode: 0o600 });
    expect(read(file)).toHaveLength(1000);
    writeFileSync(file, "x".repeat(100_000), { mode: 0o600 });
    expect(readChecked(file, 100_000)?.text).toHaveLength(100_000);
  });

  test("refuses a secret that others may read", () => {
    writeFileSync(file, " tok\n", { mode: 0o600 });
    expect(readSecretFile(file, "tokenFile")).toBe("tok");
    chmodSync(file, 0o604);
    expect(failure(() => readSecretFile(file, "tokenFile")).hint).toBe(`run chmod 600 ${file}`);
    expect(failure(() => readSecretFile("/none", "tokenFile")).message).toBe(
      "tokenFile: there is no file /none",
    );
  });
});

describe("writing", () => {
  test.each([0o000, 0o022, 0o077, 0o277, 0o777])(
    "creates a file 0600 in a folder 0700 under umask %o",
    (mask) => {
      const deep = join(folder.path, "x/y/a.json");
      const before = process.umask(mask);
      try {
        writeAtomically(deep, "text");
      } finally {
        process.umask(before);
      }
      expect(modeOf(deep)).toBe("600");
      expect(modeOf(join(folder.path, "x/y"))).toBe("700");
      expect(modeOf(join(folder.path, "x"))).toBe("700");
      expect(readFileSync(deep, "utf8")).toBe("text");
    },
  );

  test("never changes the mode of an existing folder", () => {
    chmodSync(folder.path, 0o755);
    makePrivateFolder(folder.path);
    writeAtomically(file, "text");
    expect(modeOf(folder.path)).toBe("755");
  });

  test("leaves no temporary file behind", () => {
    writeAtomically(file, "one");
    writeAtomically(file, "two");
    expect(readdirSync(folder.path)).toEqual(["a.json"]);
  });

  test("writes through a symlink, even if its target does not exist yet", () => {
    mkdirSync(join(folder.path, "stow"));
    symlinkSync("stow/real", file);
    writeAtomically(file, "one");
    writeAtomically(file, "two");
    expect(readlinkSync(file)).toBe("stow/real");
    expect(readFileSync(join(folder.path, "stow/real"), "utf8")).toBe("two");
    expect(readdirSync(join(folder.path, "stow"))).toEqual(["real"]);
  });

  test("refuses a symlink into a folder that others may write", () => {
    const open = join(folder.path, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    symlinkSync("open/real", file);
    expect(failure(() => writeAtomically(file, "x")).message).toBe(
      `${open} may be written by others`,
    );
    expect(readdirSync(open)).toEqual([]);
  });

  test("removes old temporary files of killed writers, and keeps recent ones", () => {
    const old = join(folder.path, ".a.json.1.tmp");
    const young = join(folder.path, ".a.json.2.tmp");
    const foreign = join(folder.path, ".b.json.1.tmp");
    for (const path of [old, young, foreign]) writeFileSync(path, "");
    const hourAgo = new Date(Date.now() - 3_600_000);
    for (const path of [old, foreign]) utimesSync(path, hourAgo, hourAgo);
    writeAtomically(file, "text");
    expect(readdirSync(folder.path).sort()).toEqual([".a.json.2.tmp", ".b.json.1.tmp", "a.json"]);
  });

  test("removes its temporary file if the rename fails", () => {
    writeAtomically(file, "old");
    mkdirSync(join(folder.path, "d"));
    // A folder stands where the file should: rename fails, and nothing is left.
    const error = failure(() => writeAtomically(join(folder.path, "d"), "new"));
    expect(error.kind).toBe("configuration");
    expect(readdirSync(folder.path).sort()).toEqual(["a.json", "d"]);
  });

  test("reports the cause if a folder cannot be created", () => {
    writeFileSync(file, "");
    expect(failure(() => makePrivateFolder(join(file, "x"))).message).toContain("ENOTDIR");
    expect(failure(() => makePrivateFolder(file)).message).toContain("EEXIST");
  });
});

test.each([
  ["ENOSPC", "the disk is full", "make room there"],
  ["EDQUOT", "the quota of this user is used up", "make room there"],
  ["EROFS", "the file system is read-only", "set CODEX_MCP_BRIDGE_HOME"],
  ["EIO", "EIO", undefined],
])("%s is told in plain words", (code, reason, hint) => {
  const error = fileSystemError("write", "/none/config.json", Object.assign(new Error(), { code }));
  expect(error.message).toBe(`cannot write /none/config.json (${reason})`);
  if (hint === undefined) expect(error.hint).toBeUndefined();
  else expect(error.hint).toStartWith(hint);
});
