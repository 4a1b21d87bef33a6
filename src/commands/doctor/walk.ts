import { asBridgeError, BridgeError, type CommandLine } from "../../wire/errors.ts";

/** The steps of a server's walk, in their order. */
export const stepNames = [
  "configuration",
  "credential",
  "name",
  "route",
  "TCP",
  "TLS",
  "HTTP",
  "challenge",
  "resource metadata",
  "authorization server",
  "registration",
  "token",
  "initialize",
  "tools",
  "listening stream",
  "clock",
] as const;
export type StepName = (typeof stepNames)[number] | "clients" | "other copies";

/** The finding of a step that did not fail. */
export interface Finding {
  /** One line; server text in it is cleaned. */
  readonly detail: string;
  /** Duration of work that was done before the step, in its place. */
  readonly ms?: number;
  /** Whether the step does not apply to this server. */
  readonly isSkipped?: boolean;
  /** Faults that do not keep the server from working. */
  readonly warnings?: readonly string[];
}

/** One step as it ended. */
export interface Step {
  readonly name: StepName;
  readonly outcome: "passed" | "skipped" | "failed";
  readonly ms: number;
  readonly detail?: string;
  readonly warnings?: readonly string[];
  readonly error?: BridgeError;
}

/** The reason why a walk ends: its last step failed. */
export class WalkEnded extends Error {}

/** Runs the steps of one walk and reports each when it ends. */
export class Walk {
  readonly steps: Step[] = [];
  readonly #ended: (step: Step) => Promise<void>;

  constructor(ended: (step: Step) => Promise<void>) {
    this.#ended = ended;
  }

  /** Runs one step. Throws WalkEnded if the step fails. */
  async step(name: StepName, work: () => Finding | Promise<Finding>): Promise<void> {
    const startedAt = performance.now();
    const ms = () => Math.round(performance.now() - startedAt);
    let step: Step;
    try {
      const { detail, isSkipped, warnings = [], ms: spentMs } = await work();
      const outcome = isSkipped === true ? "skipped" : "passed";
      step = {
        name,
        outcome,
        ms: Math.round(spentMs ?? ms()),
        detail,
        ...(warnings.length > 0 && { warnings }),
      };
    } catch (error) {
      const failure = asBridgeError(error);
      if (failure.kind === "internal") throw error;
      step = { name, outcome: "failed", ms: ms(), error: withoutCall(failure) };
    }
    this.steps.push(step);
    await this.#ended(step);
    if (step.error !== undefined) throw new WalkEnded();
  }

  /** The steps of a server that were not tried. */
  get notTried(): string[] {
    const tried = new Set<string>(this.steps.map(({ name }) => name));
    return stepNames.filter((name) => !tried.has(name));
  }
}

/** The finding of a step that does not apply. */
export const skipped = (detail: string): Finding => ({ detail, isSkipped: true });

/** A step as `--json` shows it. */
export function stepJson({ error, ...step }: Step, commandLine: CommandLine): object {
  if (error === undefined) return step;
  const { kind, message } = error;
  return { ...step, error: { kind, message, hint: error.hintText(commandLine) } };
}

/** A broken connection's hint is about a call that may have been executed; no step makes one. */
function withoutCall(failure: BridgeError): BridgeError {
  if (failure.kind !== "outcome-unknown") return failure;
  return amended(failure, {
    newHint:
      "the server, or a proxy or firewall in front of it, closes connections early: check the URL's port, and the server's own log",
  });
}

/** The same failure with another hint, or with words behind its message. */
export function amended(
  { kind, message, hint, status, cause }: BridgeError,
  { more = "", newHint = hint }: { readonly more?: string; readonly newHint?: BridgeError["hint"] },
): BridgeError {
  return new BridgeError(kind, `${message}${more}`, {
    ...(newHint !== undefined && { hint: newHint }),
    ...(status !== undefined && { status }),
    cause,
  });
}
