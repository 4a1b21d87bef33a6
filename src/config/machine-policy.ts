// The policy of this machine's administrator: /etc/codex-mcp-bridge/policy.json, which no option and no other file moves. It
// is read once, before a command begins. On a machine without that folder this costs one stat, and no module is loaded.
import { lstatOf } from "../platform/files.ts";
import { asBridgeError, BridgeError } from "../wire/errors.ts";
import type { MachinePolicy } from "./policy-file.ts";

const folder = "/etc/codex-mcp-bridge";
const policyFile = `${folder}/policy.json`;

type Known = { readonly policy: MachinePolicy | undefined } | { readonly error: BridgeError };
let known: Known | undefined;

/** Whether this machine has no folder for a policy, without node:fs; false if that is in doubt. */
export async function hasNoPolicyFolder(): Promise<boolean> {
  if (known !== undefined) return "policy" in known && known.policy === undefined;
  try {
    await Bun.file(folder).stat();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return false;
    known = { policy: undefined };
  }
  return known !== undefined;
}

/** Reads the policy. Never rejects: machinePolicy() throws the error. */
export async function loadMachinePolicy(): Promise<void> {
  if (known !== undefined || (await hasNoPolicyFolder())) return;
  try {
    const { readPolicy } = await import("./policy-file.ts");
    known = {
      policy: lstatOf(policyFile) === undefined ? undefined : await readPolicy(policyFile),
    };
  } catch (error) {
    known = { error: asBridgeError(error) };
  }
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
