import { describe, expect, test } from "bun:test";
import { realpathSync } from "node:fs";
import { isPrivateToPod, type Mount, mountOf, readMounts } from "../../src/platform/mounts.ts";

const mount = (point: string, root = "/", type = "ext4"): Mount => ({
  point,
  root,
  type,
  isReadOnly: false,
});
const pods = "/var/lib/kubelet/pods/0f3a2b1c-1111-4222-8333-444455556666";
const container = mount("/", "/", "overlay");
const hosts = mount("/etc/hosts", `${pods}/etc-hosts`);

describe("the mount of a path", () => {
  test("is the deepest one above it", () => {
    const mounts = [container, mount("/data"), mount("/data/deep"), mount("/database")];
    expect(mountOf("/data/deep/file", mounts)?.point).toBe("/data/deep");
    expect(mountOf("/data/deeper", mounts)?.point).toBe("/data");
    expect(mountOf("/data", mounts)?.point).toBe("/data");
    expect(mountOf("/dat", mounts)?.point).toBe("/");
    expect(mountOf("/", mounts)?.point).toBe("/");
    expect(mountOf("/data", [])).toBeUndefined();
  });

  test("is the last one at a mount point: it covers earlier ones", () => {
    const mounts = [container, mount("/data", "/a"), mount("/data", "/b")];
    expect(mountOf("/data/x", mounts)?.root).toBe("/b");
  });

  test.if(process.platform === "linux")("is read from /proc", () => {
    expect(mountOf("/")?.point).toBe("/");
    expect(mountOf(realpathSync("/proc/self"))).toMatchObject({ point: "/proc", type: "proc" });
    expect(readMounts().every(({ point }) => point.startsWith("/"))).toBe(true);
  });
});

const emptyDir = `${pods}/volumes/kubernetes.io~empty-dir/data`;
test.each<[what: string, mounts: Mount[], expected: boolean]>([
  ["an emptyDir", [container, mount("/data", emptyDir)], true],
  ["an emptyDir of another kubelet", [mount("/data", `/disk/k0s${emptyDir}`)], true],
  ["an emptyDir in memory", [container, hosts, mount("/data", "/", "tmpfs")], true],
  ["the container's own file system in a pod", [container, hosts], true],
  ["a file system in memory without a pod", [container, mount("/data", "/", "tmpfs")], false],
  ["the root file system without a pod", [mount("/")], false],
  ["a volume of the node in a pod", [container, hosts, mount("/data", "/srv/shared")], false],
  ["a claimed volume in a pod", [container, hosts, mount("/data", "/", "ext4")], false],
  ["a network file system in a pod", [container, hosts, mount("/data", "/", "nfs4")], false],
  [
    "a volume with the name of an emptyDir",
    [container, mount("/data", "/srv/kubernetes.io~empty-dir/data")],
    false,
  ],
  ["nothing that the system tells", [], false],
])("only this pod has it: %s: %#", (_, mounts, expected) => {
  expect(isPrivateToPod("/data/home", mounts)).toBe(expected);
});
