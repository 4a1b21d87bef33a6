import { describe, expect, test } from "bun:test";
import {
  chownSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isTemporary, programPath, startedAs } from "../../../src/cli/own-path.ts";
import {
  isStdout,
  readUserFile,
  replaceUserFile,
} from "../../../src/commands/codex-config/user-file.ts";
import { withTempFolder } from "../../../src/platform/temp-folder.ts";
import { failure } from "../../support/failure.ts";
import { ownFolder } from "../../support/folder.ts";

describe("another program's file", () => {
  test("is read with every byte and its mode", () => {
    using folder = ownFolder();
    const path = join(folder.path, "f");
    writeFileSync(path, "\ufeffa\r\n", { mode: 0o640 });
    expect(readUserFile(path)).toMatchObject({ text: "\ufeffa\r\n", mode: 0o640 });
    expect(readUserFile(join(folder.path, "none"))).toBeUndefined();
    expect(failure(() => readUserFile(folder.path)).message).toContain("EISDIR");
  });

  test.each([
    [[0xff, 0xfe, 0x7b, 0], "is UTF-16 text"],
    [[0xfe, 0xff, 0, 0x7b], "is UTF-16 text"],
    [[0x7b, 0xe9], "is not UTF-8 text"],
  ])("the bytes %j: %s", (bytes, problem) => {
    using folder = ownFolder();
    const path = join(folder.path, "f");
    writeFileSync(path, new Uint8Array(bytes));
    expect(failure(() => readUserFile(path)).message).toBe(`${path} ${problem}`);
  });

  test("is replaced through symlinks, with a private backup", () => {
    using folder = ownFolder();
    const [link, real, backup] = ["link", "real", "backup"].map((name) => join(folder.path, name));
    writeFileSync(real!, "old", { mode: 0o644 });
    symlinkSync("real", link!);
    expect(replaceUserFile(link!, readUserFile(link!), "new", backup!)).toBe(true);
    expect(readlinkSync(link!)).toBe("real");
    expect(readFileSync(real!, "utf8")).toBe("new");
    expect(statSync(real!).mode & 0o777).toBe(0o644);
    expect(readFileSync(backup!, "utf8")).toBe("old");
    expect(statSync(backup!).mode & 0o777).toBe(0o600);
  });

  test("keeps its owner if root writes it", () => {
    using folder = ownFolder();
    const path = join(folder.path, "f");
    writeFileSync(path, "old");
    // Only root can give a file away.
    const [uid, gid] =
      process.getuid!() === 0 ? [1234, 4321] : [process.getuid!(), process.getgid!()];
    chownSync(path, uid, gid);
    replaceUserFile(path, readUserFile(path), "new", `${path}.bak`);
    for (const each of [path, `${path}.bak`]) {
      expect(statSync(each)).toMatchObject({ uid, gid });
    }
  });

  test("is not replaced if it has changed since it was read", () => {
    using folder = ownFolder();
    const path = join(folder.path, "f");
    writeFileSync(path, "read");
    const before = readUserFile(path);
    writeFileSync(path, "changed meanwhile");
    expect(replaceUserFile(path, before, "new", `${path}.bak`)).toBe(false);
    expect(replaceUserFile(path, undefined, "new", `${path}.bak`)).toBe(false);
    expect(readFileSync(path, "utf8")).toBe("changed meanwhile");
  });

  test("that cannot be written is an error", () => {
    using folder = ownFolder();
    const path = join(folder.path, "f");
    mkdirSync(`${path}.bak`);
    writeFileSync(path, "x");
    const error = failure(() => replaceUserFile(path, readUserFile(path), "new", `${path}.bak`));
    expect(error.kind).toBe("configuration");
    expect(error.message).toContain(`cannot write ${path}`);
    expect(readFileSync(path, "utf8")).toBe("x");
  });

  test("is stdout only if stdout is redirected to it", () => {
    using folder = ownFolder();
    expect(isStdout(join(folder.path, "none"))).toBe(false);
    expect(isStdout(import.meta.path)).toBe(false);
  });

  test("may be written for a trial to a private folder, which is removed afterwards", async () => {
    const path = await withTempFolder(async (folder) => {
      expect(statSync(folder).mode & 0o777).toBe(0o700);
      writeFileSync(join(folder, "f"), "x");
      return folder;
    });
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe("the path by which a program was started", () => {
  const env = (path: string) => ({ PATH: path });

  test("keeps symlinks, by path and by name on PATH", () => {
    using folder = ownFolder();
    const [bin, real] = [join(folder.path, "bin"), join(folder.path, "bridge-1.2.3")];
    mkdirSync(bin);
    writeFileSync(real, "", { mode: 0o755 });
    symlinkSync(real, join(bin, "bridge"));
    expect(startedAs(join(bin, "bridge"), real, env("/bin"))).toBe(join(bin, "bridge"));
    expect(startedAs("bridge", real, env(`/bin:${bin}`))).toBe(join(bin, "bridge"));
  });

  test("is the executable's own path if argv0 does not lead to it", () => {
    expect(startedAs("whatever", "/bin/sh", env("/bin"))).toBe("/bin/sh");
    expect(startedAs("/bin/cat", "/bin/sh", env("/bin"))).toBe("/bin/sh");
  });

  test("is absolute, also for a relative argv0", () => {
    expect(programPath("./x", {})).toBe(join(process.cwd(), "x"));
    expect(programPath("surely-not-there", env("/bin"))).toBeUndefined();
  });

  test.each([
    ["/tmp/x/bridge", true],
    ["/var/tmp/bridge", true],
    ["/mnt/scratch/bridge", true],
    ["/usr/local/bin/bridge", false],
    ["/tmpfiles/bridge", false],
  ])("%s is in a folder for temporary files: %p", (path, expected) => {
    expect(isTemporary(path, { TMPDIR: "/mnt/scratch/" })).toBe(expected);
  });
});
