// The tools that a person approved (approved/NAME.json). A server's entry with `pin` offers no other.
import { fileVersionOf } from "../../platform/file-stamp.ts";
import { readChecked, writeAtomically } from "../../platform/files.ts";
import { approvedFile, type ServerState } from "../../platform/paths.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { hashOf } from "./listed-tools.ts";

/** One tool as it was approved. */
export interface ApprovedTool {
  readonly name: string;
  /** SHA-256 of `text`. */
  readonly hash: string;
  /** Canonical JSON of the tool; absent if only the hash came from a team file. */
  readonly text?: string;
  /** When it was approved, as ISO 8601. */
  readonly at: string;
  /** Who approved it: user and host. */
  readonly by: string;
}

/** Largest file that is read. */
const maxBytes = 64 * 1024 * 1024;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isApproved(value: unknown): value is ApprovedTool {
  if (!isObject(value)) return false;
  const { name, hash, text, at, by } = value;
  if (![name, hash, at, by].every((each) => typeof each === "string")) return false;
  if (text === undefined) return /^[0-9a-f]{64}$/.test(String(hash));
  return typeof text === "string" && hashOf(text) === hash;
}

/** The approved tools, by name; undefined before the first approval for this origin. Throws `configuration`. */
export function readApproved(
  state: ServerState,
  origin: string,
): ReadonlyMap<string, ApprovedTool> | undefined {
  const path = approvedFile(state);
  const file = readChecked(path, maxBytes);
  if (file === undefined) return undefined;
  const value = parsed(file.text);
  const { version, tools } = isObject(value) ? value : {};
  if (version !== 1 || !Array.isArray(tools) || !tools.every(isApproved))
    throw new BridgeError("configuration", `${path} is no list of approved tools`, {
      hint: (command) => `remove the file, then run ${command(`pin ${state.key}`)}`,
    });
  if ((value as { origin?: unknown }).origin !== origin) return undefined;
  return new Map(tools.map((tool) => [tool.name, tool]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Replaces the approved tools of a server. Throws `configuration`. */
export function writeApproved(
  state: ServerState,
  origin: string,
  tools: Iterable<ApprovedTool>,
): void {
  const file = { version: 1, origin, tools: [...tools] };
  writeAtomically(approvedFile(state), `${JSON.stringify(file, null, 2)}\n`);
}

/** The approved tools of a running bridge, which sees changes of the file. */
export class Approvals {
  readonly #state: ServerState;
  readonly #origin: string;
  #version: string | undefined;
  #tools: ReadonlyMap<string, ApprovedTool> = new Map();
  /** Why no approval can be read. */
  problem: string | undefined;

  constructor(state: ServerState, origin: string) {
    this.#state = state;
    this.#origin = origin;
  }

  /** Reads the file again if it has changed. A file that cannot be read approves nothing. */
  refresh(): void {
    try {
      const version = fileVersionOf(approvedFile(this.#state));
      if (version === this.#version) return;
      this.#version = version;
      this.#tools = new Map();
      this.problem = undefined;
      this.#tools = readApproved(this.#state, this.#origin) ?? this.#tools;
    } catch (error) {
      this.#tools = new Map();
      this.problem = asBridgeError(error).message;
    }
  }

  /** The approved hash of a tool. */
  hashOf(name: string): string | undefined {
    return this.#tools.get(name)?.hash;
  }
}
