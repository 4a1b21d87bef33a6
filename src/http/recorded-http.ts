import type { ServerSettings } from "../config/settings.ts";
import type { RecordFile } from "../platform/record-file.ts";
import { shownUrl } from "../platform/redact.ts";
import { asBridgeError } from "../wire/errors.ts";
import type { Http } from "./client.ts";

/** Headers of a response whose values are recorded; of all others the names are. */
const shownHeaders = new Set([
  "allow",
  "content-encoding",
  "content-length",
  "content-type",
  "date",
  "location",
  "retry-after",
  "server",
  "www-authenticate",
]);
/** Of a longer body of a request, and of a longer line of a response, the beginning is recorded: the client's side has the whole messages. */
const maxLength = 1024 * 1024;

/** `http` with each exchange written to a record: method, URL and body of the request; status, headers and body of its response. */
export function recordedHttp(
  http: Http,
  record: RecordFile,
  { name: server, urlTemplate }: Pick<ServerSettings, "name" | "urlTemplate">,
): Http {
  return async (request) => {
    const number = record.nextExchange();
    const { method, url, headers, body } = request;
    const text = typeof body === "string" ? body : new TextDecoder().decode(body);
    const names = [...new Headers(headers).keys()];
    // The path may hold the value of a variable.
    const shownAddress = urlTemplate === undefined ? shownUrl(url) : url.origin;
    const facts = { http: number, server, method, url: shownAddress, headers: names };
    const shownBody = text === "" ? {} : { body: text.slice(0, maxLength) };
    record.note(facts, shownBody, text.length > maxLength);
    try {
      const response = await http(request);
      const shown: Record<string, string> = {};
      for (const [name, value] of response.headers)
        shown[name] = shownHeaders.has(name) ? value : "...";
      record.note({ http: number, status: response.status }, { headers: JSON.stringify(shown) });
      if (response.body === null) return response;
      const { status, statusText, headers } = response;
      return new Response(recordedBody(response.body, record, number), {
        ...{ status, statusText, headers },
      });
    } catch (error) {
      if (request.signal.aborted) record.note({ http: number, failed: "stopped" });
      else {
        const { kind, message } = asBridgeError(error);
        record.note({ http: number, failed: kind, error: message });
      }
      throw error;
    }
  };
}

/** Passes a body on, and records its lines when they are complete: half a secret would not be found. */
function recordedBody(
  body: ReadableStream<Uint8Array>,
  record: RecordFile,
  number: number,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let bytes = 0;
  const note = (text: string, isCut = false) => {
    if (text !== "") record.note({ http: number }, { text }, isCut);
  };
  const noteLines = (text: string, isCut = false) => {
    let from = 0;
    while (text.length - from > maxLength) {
      const end = text.lastIndexOf("\n", from + maxLength - 1) + 1;
      const isLong = end <= from;
      note(text.slice(from, isLong ? from + maxLength : end), isLong);
      from = isLong ? text.indexOf("\n", from + maxLength) + 1 || text.length : end;
    }
    note(text.slice(from), isCut);
  };
  const add = (text: string) => {
    const end = text.lastIndexOf("\n") + 1;
    if (end > 0) noteLines(rest + text.slice(0, end));
    if (end > 0) rest = text.slice(end);
    // One chunk more than is recorded: noteLines then sees that the line is too long.
    else if (rest.length <= maxLength) rest += text;
  };
  const finish = (end: "complete" | "broken" | "stopped") => {
    noteLines(rest + decoder.decode(), end !== "complete");
    record.note({ http: number, end, bytes });
  };
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            finish("complete");
            controller.close();
            return;
          }
          bytes += value.length;
          add(decoder.decode(value, { stream: true }));
          controller.enqueue(value);
        } catch (error) {
          finish("broken");
          controller.error(error);
        }
      },
      cancel(reason) {
        finish("stopped");
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
