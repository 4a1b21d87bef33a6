// Requests an address whose CA is not the one in "network.caFile", without any variable that the bridge reads, so that
// only the system's certificate store can trust it. Prints the result and the cached entry.
import { Certificates } from "../../src/http/certificates.ts";
import { createHttp } from "../../src/http/client.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { memoryLog } from "./client.ts";

const [address = "", caFile = ""] = process.argv.slice(2);
const url = new URL(address);
const log = memoryLog();
const cache = new ServerCache(undefined, url, log);
const certificates = new Certificates({ caFile }, {}, cache, log);
const http = createHttp({ network: { caFile }, env: {}, certificates });
const request = { method: "GET", url, headers: {}, signal: AbortSignal.timeout(10_000) } as const;
const came = await http(request).then(
  (response) => response.text(),
  (error) => error.kind,
);
console.log(JSON.stringify([came, cache.get("systemStore") ?? null, log.events.length]));
