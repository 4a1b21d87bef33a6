import { contents } from "./scenarios/contents.ts";
import { drops } from "./scenarios/drops.ts";
import { events } from "./scenarios/events.ts";
import { floods } from "./scenarios/floods.ts";
import { redirects } from "./scenarios/redirects.ts";
import { refusals } from "./scenarios/refusals.ts";
import { remembered } from "./scenarios/remembered.ts";
import { resets } from "./scenarios/resets.ts";
import { sessions } from "./scenarios/sessions.ts";
import { slow } from "./scenarios/slow.ts";
import { sse } from "./scenarios/sse.ts";
import { stateless } from "./scenarios/stateless.ts";
import { stdin } from "./scenarios/stdin.ts";
import { tls } from "./scenarios/tls.ts";

/** Every fault, by class. */
export const classes = {
  "drops before and after processing": drops,
  "resets and truncations": resets,
  "slow and endless bodies": slow,
  "event streams in every dialect and cut": events,
  "wrong ids and contents": contents,
  "floods and bombs": floods,
  redirects,
  "restarts and refusals": refusals,
  "TLS failures": tls,
  "session loss": sessions,
  "misuse of stdin": stdin,
  "servers of HTTP+SSE": sse,
  "servers of the stateless protocol": stateless,
  "a second start": remembered,
};
