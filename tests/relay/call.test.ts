import { expect, test } from "bun:test";
import { Call, prolong } from "../../src/relay/call.ts";
import { notificationOf, requestOf } from "../../src/wire/message.ts";

/** A call that asks for progress under `token`; its deadline counts the extensions. */
function callWithToken(token: string) {
  const params = `{"name":"a","_meta":{"progressToken":${token}}}`;
  const call = new Call("server", requestOf(token, "tools/call", params), [token], 0, false);
  const deadline = {
    isExtended: false,
    extensions: 0,
    extend() {
      deadline.isExtended = true;
      deadline.extensions++;
    },
    pause: () => () => undefined,
    callOff: () => undefined,
  };
  call.deadline = deadline;
  return { call, deadline };
}

const progressUnder = (token: string) =>
  notificationOf("notifications/progress", `{"progress":1,"progressToken":${token}}`);

test("a burst of progress extends its call once for a while, and hides the progress of no other call", () => {
  const [busy, calm] = [callWithToken('"busy"'), callWithToken("7")];
  const calls = [busy.call, calm.call];
  for (let n = 0; n < 100; n++) prolong(calls, progressUnder('"busy"'));
  expect([busy.deadline.extensions, calm.deadline.extensions]).toEqual([1, 0]);
  prolong(calls, progressUnder("7"));
  expect(calm.deadline.extensions).toBe(1);
  busy.deadline.isExtended = false;
  prolong(calls, progressUnder('"busy"'));
  expect(busy.deadline.extensions).toBe(2);
});
