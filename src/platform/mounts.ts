import { fs } from "./fs.ts";

/** A mounted file system as this process sees it (proc(5), /proc/pid/mountinfo). */
export interface Mount {
  /** The mount point. */
  readonly point: string;
  /** The folder of the file system that is mounted at `point`. */
  readonly root: string;
  readonly type: string;
  readonly isReadOnly: boolean;
}

/** Matches a pod's folder on the node: .../pods/UID/..., below any data folder of the kubelet. */
const podFolder = /\/pods\/[0-9a-f-]{32,36}\//;
/** Matches an emptyDir: a volume that Kubernetes creates for one pod and deletes with the pod. */
const emptyDir = /\/pods\/[0-9a-f-]{32,36}\/volumes\/kubernetes\.io~empty-dir\//;

const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );

/** The mounts of this process in mount order; empty on systems without /proc. */
export function readMounts(): Mount[] {
  let text: string;
  try {
    text = fs().readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => {
    const [own = "", other = ""] = line.split(" - ");
    const [, , , root, point, options] = own.split(" ");
    const [type = "", , superOptions = ""] = other.split(" ");
    if (root === undefined || point === undefined || options === undefined) return [];
    const isReadOnly = [options, superOptions].some((each) => each.split(",").includes("ro"));
    return [{ point: unescaped(point), root: unescaped(root), type, isReadOnly }];
  });
}

/** The mount that contains a resolved path. */
export function mountOf(path: string, mounts = readMounts()): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const isAbove = `${path}/`.startsWith(mount.point === "/" ? "/" : `${mount.point}/`);
    // A later mount covers an earlier one at the same mount point.
    if (isAbove && mount.point.length >= (found?.point.length ?? 0)) found = mount;
  }
  return found;
}

/**
 * Whether only this process's Kubernetes pod uses the mount of a resolved path: an emptyDir, also in memory (tmpfs), or
 * the container's own file system. Other pods may use a volume that outlives the pod.
 */
export function isPrivateToPod(path: string, mounts = readMounts()): boolean {
  const mount = mountOf(path, mounts);
  if (mount === undefined) return false;
  if (emptyDir.test(mount.root)) return true;
  // In a pod, the kubelet mounts files from the pod's folder into every container: /etc/hosts, /dev/termination-log.
  const isInPod = mounts.some(({ root }) => podFolder.test(root));
  return isInPod && (mount.type === "tmpfs" || mount.point === "/");
}
