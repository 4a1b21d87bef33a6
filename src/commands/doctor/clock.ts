// This machine's clock against the server's.
import { BridgeError } from "../../wire/errors.ts";
import type { FirstAnswer } from "./first-request.ts";
import { spanText } from "./token-facts.ts";
import { amended, type Finding, skipped } from "./walk.ts";

/** Skew that breaks no sign-in: tokens and certificates are judged by the minute. */
const harmlessSkewMs = 60_000;

/** Milliseconds by which this machine's clock is ahead of the server's; undefined if the server tells no time. */
function skewMs({ response, at, ms }: FirstAnswer): number | undefined {
  const date = Date.parse(response.headers.get("date") ?? "");
  // The header has whole seconds and was written while the answer was on its way.
  return Number.isNaN(date) ? undefined : at - ms / 2 - (date + 500);
}

/** The difference in words; undefined if it is harmless or not known. */
function skewText(answer: FirstAnswer): string | undefined {
  const skew = skewMs(answer) ?? 0;
  if (Math.abs(skew) <= harmlessSkewMs) return undefined;
  return `this machine's clock is ${spanText(skew)} ${skew > 0 ? "ahead of" : "behind"} the server's`;
}

/** A failure of a token, with the difference between the clocks, for which many tokens are refused. */
export function withClock(error: BridgeError, answer: FirstAnswer): BridgeError {
  const skew = skewText(answer);
  return skew === undefined ? error : amended(error, { more: `; ${skew}` });
}

/** Throws `configuration` if the clocks differ by more than a minute. */
export function clockFinding(answer: FirstAnswer): Finding {
  if (skewMs(answer) === undefined) return skipped("the server tells no time");
  const skew = skewText(answer);
  if (skew === undefined) return { detail: "agrees with the server's" };
  throw new BridgeError("configuration", skew, {
    hint: "set this machine's clock (timedatectl set-ntp true), or tell the server's operator",
  });
}
