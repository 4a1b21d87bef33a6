import { expect, test } from "bun:test";
import { isLinkLocal, reachOf } from "../../src/http/ip-address.ts";

test.each([
  ["8.8.8.8", "public"],
  ["2606:4700::1111", "public"],
  ["127.0.0.1", "loopback"],
  ["127.8.8.8", "loopback"],
  ["::1", "loopback"],
  ["::ffff:127.0.0.1", "loopback"],
  ["::ffff:7f00:1", "loopback"],
  ["64:ff9b::7f00:1", "loopback"],
  ["64:ff9b::a00:1", "private"],
  ["64:ff9b:1::808:808", "private"],
  ["0.0.0.0", "private"],
  ["::", "private"],
  ["10.1.2.3", "private"],
  ["100.64.0.1", "private"],
  ["169.254.169.254", "private"],
  ["172.31.255.255", "private"],
  ["172.32.0.1", "public"],
  ["192.168.1.1", "private"],
  ["fe80::1%eth0", "private"],
  ["fd00::1", "private"],
  ["ff02::1", "private"],
  ["2002:a00:1::", "private"],
  ["224.0.0.1", "private"],
  ["255.255.255.255", "private"],
  ["[::1]", "loopback"],
  ["2001:db8::1", "private"],
  ["2001::1", "private"],
  ["2001:20::1", "public"],
  ["fec0::1", "private"],
  ["100::1", "private"],
  ["::ffff:0:8.8.8.8", "public"],
  ["::8.8.8.8", "public"],
  ["::ffff:8.8.8.8", "public"],
  ["2002:808:808::1", "public"],
  ["2002:7f00:1::", "loopback"],
  ["1:2:3", "private"],
])("reachOf classifies %p as %s", (address, reach) => {
  expect(reachOf(address)).toBe(reach as "public");
});

test.each(["mcp.example.com", "127.1", "localhost", ""])(
  "%p is a host name, not an address",
  (host) => {
    expect(reachOf(host)).toBeUndefined();
  },
);

test.each([
  "169.254.169.254",
  "::ffff:169.254.169.254",
  "64:ff9b::a9fe:a9fe",
  "fe80::1",
  "[febf::1]",
])("%s is link-local", (address) => {
  expect(isLinkLocal(address)).toBe(true);
});
