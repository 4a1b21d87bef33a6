import { expect, test } from "bun:test";
import { routeTo } from "../../src/http/proxy.ts";
import { BridgeError } from "../../src/wire/errors.ts";

const url = new URL("https://mcp.example.com/mcp");
const proxyOf = (env: Record<string, string>, to = url) => routeTo(to, { env, network: {} }).proxy;

test.each([
  [{ HTTPS_PROXY: "http://127.0.0.1:3128" }, "http://127.0.0.1:3128/"],
  [{ https_proxy: "HTTP://Proxy.Corp:3128" }, "http://proxy.corp:3128/"],
  [{ HTTPS_PROXY: "127.0.0.1:3128" }, "http://127.0.0.1:3128/"],
  [{ HTTPS_PROXY: "proxy.corp:3128" }, "http://proxy.corp:3128/"],
  [{ HTTPS_PROXY: "user:p%40ss@proxy.corp:3128" }, "http://user:p%40ss@proxy.corp:3128/"],
  [{ ALL_PROXY: "proxy.corp:3128", HTTPS_PROXY: "https://tls.corp" }, "https://tls.corp/"],
  [{ ALL_PROXY: "proxy.corp:3128", HTTPS_PROXY: "" }, "http://proxy.corp:3128/"],
  [{ HTTP_PROXY: "proxy.corp:3128" }, undefined],
  [{}, undefined],
])("%j selects the proxy %p", (env, expected) => {
  expect(proxyOf(env)).toBe(expected);
});

test.each(["http://", "//127.0.0.1:9", "ftp://proxy.corp:21", "http://user:secret@[:9"])(
  "%s is refused as a proxy URL, and the error does not quote it",
  (value) => {
    const error = thrownBy(() => proxyOf({ HTTPS_PROXY: value }));
    expect(error.kind).toBe("configuration");
    expect(error.message).toBe("HTTPS_PROXY is not the address of an HTTP proxy");
    expect(`${error.message} ${error.hintText((words: string) => words)}`).not.toContain("secret");
  },
);

test.each(["socks5://127.0.0.1:1080", "SOCKS4://x:1", "socks5h://x:1"])(
  "%s is refused",
  (proxy) => {
    expect(thrownBy(() => proxyOf({ ALL_PROXY: proxy })).message).toContain("SOCKS");
    expect(proxyOf({ ALL_PROXY: proxy, NO_PROXY: "mcp.example.com" })).toBeUndefined();
  },
);

test.each([
  ["mcp.example.com", true],
  ["MCP.Example.com", true],
  ["example.com", true],
  [".example.com", true],
  ["*.example.com", true],
  ["*", true],
  ["other.com, example.com", true],
  ["other.com example.com", true],
  ["mcp.example.com:443", true],
  ["mcp.example.com:8443", false],
  ["ample.com", false],
  ["com.example", false],
  ["example.com.", true],
  ["other.com\texample.com", true],
  ["", false],
  [",", false],
  [" , ,", false],
])("NO_PROXY=%s exempts mcp.example.com: %p", (list, isExempt) => {
  const found = proxyOf({ HTTPS_PROXY: "proxy.corp:3128", NO_PROXY: list });
  expect(found === undefined).toBe(isExempt);
});

test.each([
  ["https://10.1.2.3/", "10.0.0.0/8", true],
  ["https://11.1.2.3/", "10.0.0.0/8", false],
  ["https://192.168.1.130/", "192.168.1.128/25", true],
  ["https://192.168.1.1/", "192.168.1.128/25", false],
  ["https://10.1.2.3/", "0.0.0.0/0", true],
  ["https://10.1.2.3/", "10.1.2.3", true],
  ["https://[2001:db8::1]/", "2001:db8::1", true],
  ["https://[2001:db8::1]/", "[2001:db8::1]:443", true],
  ["https://[2001:db8::1]/", "2001:db8::2", false],
  ["https://mcp.example.com/", "10.0.0.0/8", false],
  ["https://[2001:db8::1]/", "2001:DB8::/32", true],
  ["https://[2001:db9::1]/", "2001:db8::/32", false],
  ["https://10.1.2.3/", "::/0", false],
  ["https://10.1.2.3/", "2001:db8::1", false],
  ["https://xn--bcher-kva.example/", "b\u00fccher.example", true],
])("%s under no_proxy=%s bypasses the proxy: %p", (to, list, isExempt) => {
  const found = proxyOf({ HTTPS_PROXY: "proxy.corp:3128", no_proxy: list }, new URL(to));
  expect(found === undefined).toBe(isExempt);
});

test.each([
  "10.0.0.0/",
  "10.0.0.0/33",
  "10.0.0.0/8/8",
  "10.0.0/8",
  "10.0.0.0/eight",
  "/8",
  "2001:db8::/129",
  "192.168.",
  "192.168.*",
  "010.0.0.1",
  "http://mcp.example.com",
  "mcp.example.com/path",
  "mcp.example.com:",
  "mcp.example.com:port",
  "mcp.example.com:65536",
  "user@mcp.example.com",
  "mcp.example.com;other.com",
  "[2001:db8::1",
  "2001:db8:::1",
  ".",
  "*.*",
])("the NO_PROXY entry %s is refused at any position in the list", (entry) => {
  for (const list of [entry, `mcp.example.com,${entry}`, `${entry} mcp.example.com`])
    for (const name of ["NO_PROXY", "no_proxy"]) {
      const error = thrownBy(() => proxyOf({ HTTPS_PROXY: "proxy.corp:3128", [name]: list }));
      expect(error.kind).toBe("configuration");
      expect(error.message).toBe(`${name} holds a malformed entry: "${entry}"`);
    }
});

test("NO_PROXY is not read if there is no proxy", () => {
  expect(proxyOf({ NO_PROXY: "10.0.0.0/" })).toBeUndefined();
});

test.each([
  [{ HTTPS_PROXY: "proxy.corp:3128" }, url, "HTTPS_PROXY"],
  [{ all_proxy: "proxy.corp:3128" }, url, "all_proxy"],
  [{ https_proxy: "proxy.corp:3128", NO_PROXY: "example.com" }, url, "NO_PROXY"],
  [{ HTTP_PROXY: "proxy.corp:3128" }, new URL("http://127.0.0.1/mcp"), undefined],
  [{}, url, undefined],
])("under %j the route is set by %3$s", (env, to, setBy) => {
  expect(routeTo(to, { env, network: {} }).setBy).toBe(setBy);
});

test("the configuration's proxy overrides the environment's", () => {
  const network = { proxy: "http://own.corp:3128" };
  const env = { HTTPS_PROXY: "proxy.corp:3128" };
  const route = routeTo(url, { env, network });
  expect(route).toEqual({ proxy: "http://own.corp:3128/", setBy: '"network.proxy"' });
});

function thrownBy(act: () => unknown): BridgeError {
  try {
    act();
  } catch (error) {
    if (error instanceof BridgeError) return error;
  }
  throw new Error("nothing was thrown");
}
