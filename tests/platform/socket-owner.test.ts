import { expect, test } from "bun:test";
import { isOwnConnection, ownerIn } from "../../src/platform/socket-owner.ts";

const head =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const line = (local: string, remote: string, state: string, uid: number) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 30 1 0 20 4 30 10 -1`;
const peer = { address: "127.0.0.1", port: 0xc001 };
const toPort = 0x1f90;
const client = "0100007F:C001";
const server = "0100007F:1F90";

test.each([
  ["an open connection has an owner", line(client, server, "01", 1000), 1000],
  ["the other end of the connection is not a match", line(server, client, "01", 1000), undefined],
  [
    "a closed connection has no owner: the kernel reports root",
    line(client, server, "04", 0),
    undefined,
  ],
  [
    "a connection from another port is not a match",
    line("0100007F:C002", server, "01", 1000),
    undefined,
  ],
  [
    "a connection to another server port is not a match",
    line(client, "0100007F:1F91", "01", 1000),
    undefined,
  ],
  [
    "an IPv4 connection is also found in the IPv6 table",
    line(`0000000000000000FFFF0000${client}`, `0000000000000000FFFF0000${server}`, "01", 1000),
    1000,
  ],
  ["a malformed line is skipped", "garbage", undefined],
])("%s", (_, text, owner) => {
  expect(ownerIn([head, text].join("\n"), peer, toPort)).toBe(owner);
});

test("a connection of this process is the user's own; a connection that does not exist is not", async () => {
  let peers: { readonly address: string; readonly port: number }[] = [];
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, self) {
      const from = self.requestIP(request)!;
      peers = [from, { ...from, port: 1 }];
      return Response.json(peers.map((each) => isOwnConnection(each, self.port!)));
    },
  });
  const answer = await fetch(server.url);
  const expected = process.platform === "linux" ? [true, false] : [null, null];
  expect(await answer.json()).toEqual(expected);
});
