// One interactive sign-in per server at a time, across all processes; `login` takes precedence over `run`.

import type { ServerSettings } from "../../config/settings.ts";
import { isLocked, withLock } from "../../platform/lock.ts";

type Server = Pick<ServerSettings, "state">;

const signInLock = ({ state }: Server) => `${state.key}.sign-in`;
/** Held by `login` while it waits for the sign-in lock, and while it has it. */
const loginLock = ({ state }: Server) => `${state.key}.login`;

/** Runs the sign-in of `login`; a sign-in during `run` gives way to it. Rejects with the signal's reason. */
export function inLoginTurn<T>(server: Server, work: () => Promise<T>, signal: AbortSignal) {
  const { root } = server.state;
  const inTurn = () => withLock(root, signInLock(server), work, signal);
  return withLock(root, loginLock(server), inTurn, signal);
}

/** Runs a sign-in during `run`; `work` must end when `isLoginWanted`. Rejects with the signal's reason. */
export function inRunTurn<T>(server: Server, work: () => Promise<T>, signal: AbortSignal) {
  return withLock(server.state.root, signInLock(server), work, signal);
}

/** Whether a `login` waits for the sign-in lock, or holds it. */
export function isLoginWanted(server: Server): Promise<boolean> {
  return isLocked(server.state.root, loginLock(server));
}

/** Runs `work` once no `login` is under way. Rejects with the signal's reason. */
export function afterLogin<T>(server: Server, work: () => Promise<T>, signal: AbortSignal) {
  return withLock(server.state.root, loginLock(server), work, signal);
}
