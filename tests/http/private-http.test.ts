import { describe, expect, test } from "bun:test";
import type { Http, HttpRequest } from "../../src/http/client.ts";
import { privateHttp } from "../../src/http/private-http.ts";
import { BridgeError } from "../../src/wire/errors.ts";

const never = new AbortController().signal;
const requestTo = (url: string): HttpRequest => ({
  method: "GET",
  url: new URL(url),
  headers: {},
  signal: never,
});

/** privateHttp over a client that notes where requests go; each lookup of a name takes the next answer. */
function open(...answers: readonly (readonly string[])[]) {
  const sent: (string | undefined)[] = [];
  const unreachable = new Set<string>();
  let lookups = 0;
  const http: Http = async ({ url, address }) => {
    const place = address ?? url.hostname;
    sent.push(place);
    if (unreachable.has(place))
      throw new BridgeError("connection-refused", "refused", { safeToRetry: true });
    return new Response();
  };
  const judged = privateHttp(http, async () => answers[Math.min(lookups++, answers.length - 1)]!);
  const kindOf = (url: string) =>
    judged(requestTo(url)).then(
      () => "sent",
      (error) => error.kind,
    );
  return { sent, unreachable, kindOf, lookups: () => lookups };
}

const allowed = [
  ...["10.0.0.2", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
  ...["100.64.0.1", "100.127.255.255", "127.0.0.1", "127.9.9.9"],
  ...["::1", "fc00::1", "fd12:3456::1", "::ffff:10.0.0.2"],
];
const refused = [
  ...["8.8.8.8", "203.0.113.9", "192.0.2.10", "198.18.0.1", "172.15.255.255", "172.32.0.1"],
  ...["100.63.255.255", "100.128.0.1", "9.255.255.255", "11.0.0.1", "192.169.0.1"],
  ...["169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255"],
  ...["::", "fe80::1", "fec0::1", "2001:4860:4860::8888", "ff02::1", "64:ff9b::a00:2"],
  ...["::ffff:8.8.8.8", "::ffff:169.254.169.254", "2002:a00:2::", "::10.0.0.2"],
];
const hostOf = (address: string) => (address.includes(":") ? `[${address}]` : address);

describe("allowHttp", () => {
  test.each(allowed)("reaches %s, by name and by address", async (address) => {
    const { kindOf, sent } = open([address]);
    expect(await kindOf("http://host.example/mcp")).toBe("sent");
    expect(await kindOf(`http://${hostOf(address)}:8080/mcp`)).toBe("sent");
    expect(sent[0]).toBe(address);
  });

  test.each(refused)("refuses %s, by name and by address", async (address) => {
    const { kindOf, sent } = open([address]);
    expect(await kindOf("http://host.example/mcp")).toBe("refused");
    expect(await kindOf(`http://${hostOf(address)}:8080/mcp`)).toBe("refused");
    expect(sent).toEqual([]);
  });

  test.each([[["10.0.0.2", "8.8.8.8"]], [["8.8.8.8", "10.0.0.2"]], [["fe80::1", "fd00::1"]]])(
    "refuses a name with the addresses %j: one of them is not private",
    async (addresses) => {
      const { kindOf, sent } = open(addresses);
      expect([await kindOf("http://host.example/"), sent]).toEqual(["refused", []]);
    },
  );

  test("judges the addresses of a name for every request, since they may change", async () => {
    const { kindOf, lookups, sent } = open(["10.0.0.2"], ["8.8.8.8"], ["10.0.0.3"]);
    const url = "http://host.example/mcp";
    expect([await kindOf(url), await kindOf(url), await kindOf(url)]).toEqual([
      "sent",
      "refused",
      "sent",
    ]);
    expect([lookups(), sent]).toEqual([3, ["10.0.0.2", "10.0.0.3"]]);
  });

  test("tries the next judged address if a connection fails", async () => {
    const { kindOf, sent, unreachable } = open(["fd00::1", "10.0.0.2"]);
    unreachable.add("fd00::1");
    expect([await kindOf("http://host.example/"), sent]).toEqual(["sent", ["fd00::1", "10.0.0.2"]]);
    unreachable.add("10.0.0.2");
    expect(await kindOf("http://host.example/")).toBe("connection-refused");
  });

  test("leaves requests by https alone", async () => {
    const { kindOf, lookups } = open(["8.8.8.8"]);
    expect([await kindOf("https://host.example/"), lookups()]).toEqual(["sent", 0]);
  });
});
