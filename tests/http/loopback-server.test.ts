import { expect, spyOn, test } from "bun:test";
import { listenOnLoopback } from "../../src/http/loopback-server.ts";

const nothing = () => new Response();
const { serve } = Bun;

/** A machine that has no ::1. */
function withoutIpv6(code: string) {
  const fake = ((options: { hostname?: string }) => {
    if (options.hostname === "::1") throw Object.assign(new Error(code), { code });
    return serve(options as Parameters<typeof serve>[0]);
  }) as typeof serve;
  return spyOn(Bun, "serve").mockImplementation(fake);
}

test.each(["EADDRNOTAVAIL", "EAFNOSUPPORT"])(
  "a machine without IPv6 (%s) listens for localhost on 127.0.0.1, and for [::1] not at all",
  async (code) => {
    using _ = withoutIpv6(code);
    const server = await listenOnLoopback("localhost", 0, nothing);
    expect((await fetch(`http://127.0.0.1:${server.port}`)).status).toBe(200);
    await server.close();
    expect(listenOnLoopback("[::1]", 0, nothing)).rejects.toThrow(code);
  },
);

test("after a failure on one address nothing listens on the other", async () => {
  const busy = serve({ hostname: "::1", port: 0, fetch: nothing });
  expect(listenOnLoopback("localhost", busy.port!, nothing)).rejects.toThrow(`[::1]:${busy.port}`);
  const free = await listenOnLoopback("127.0.0.1", busy.port!, nothing);
  await free.close();
  await busy.stop(true);
});
