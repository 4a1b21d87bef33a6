// The policy of this machine's administrator: /etc/codex-mcp-bridge/policy.json, which no option and no other file moves. It
// is read once, before a command begins. On a machine without that folder this costs one reading of /etc, and no module is loaded.
import { lstatOf } from "../platform/files.ts";
import { fs } from "../platform/fs.ts";
import { asBridgeError, BridgeError } from "../wire/errors.ts";
import type { MachinePolicy } from "./policy-file.ts";

const parent = "/etc";
const folder = `${parent}/codex-mcp-bridge`;
const policyFile = `${folder}/policy.json`;
/** Matches the folder's name alone. Bun follows the links of a pattern without a wildcard. */
const folderPattern = "codex-mcp-bridg[e]";

type Known = { readonly policy: MachinePolicy | undefined } | { readonly error: BridgeError };
let known: Known | undefined;

/** Whether this machine has no folder for a policy, without node:fs; false if that is in doubt. */
export async function hasNoPolicyFolder(): Promise<boolean> {
  if (known !== undefined) return "policy" in known && known.policy === undefined;
  const target = Bun.file(folder).stat();
  // A link that leads nowhere has an entry and no target.
  const entries = new Bun.Glob(folderPattern).scan({ cwd: parent, onlyFiles: false });
  const [found, entry] = await Promise.allSettled([target, entries.next()]);
  const isMissing = found.status === "rejected" && found.reason.code === "ENOENT";
  if (!isMissing || entry.status === "rejected" || entry.value.done !== true) return false;
  known ??= { policy: undefined };
  return true;
}

/** Reads the policy. Never rejects: machinePolicy() throws the error. */
export async function loadMachinePolicy(): Promise<void> {
  if (known !== undefined || (await hasNoPolicyFolder())) return;
  try {
    if (lstatOf(policyFile) === undefined) {
      requireFolder();
      known = { policy: undefined };
      return;
    }
    const { readPolicy } = await import("./policy-file.ts");
    known = { policy: await readPolicy(policyFile) };
  } catch (error) {
    known = { error: asBridgeError(error) };
  }
}

/** Throws `configuration` if there is something in the folder's place in which no policy can stand. */
function requireFolder(): void {
  if (lstatOf(folder) === undefined) return;
  if (fs().statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new BridgeError(
    "configuration",
    `${folder} is no folder, or a link that leads nowhere: the policy of this machine cannot be read`,
    { hint: "make it a folder that belongs to root, or ask the administrator" },
  );
}

/**
 * The policy that loadMachinePolicy() read; undefined on a machine without one. Throws `configuration` if it is unsafe or
 * invalid: then nothing that it would rule may start.
 */
export function machinePolicy(): MachinePolicy | undefined {
  if (known !== undefined) {
    if ("error" in known) throw known.error;
    return known.policy;
  }
  // A way into the program that reads no policy must not be a way around it.
  if (lstatOf(folder) !== undefined) throw new BridgeError("internal", "the policy was not read");
  return undefined;
}
