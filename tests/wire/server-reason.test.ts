import { expect, test } from "bun:test";
import { reasonIn } from "../../src/wire/server-reason.ts";

test.each([
  [
    "JSON-RPC",
    { jsonrpc: "2.0", id: 1, error: { code: 1, message: "no such tool" } },
    "no such tool",
  ],
  ["OAuth", { error: "invalid_token", error_description: "it expired" }, "it expired"],
  ["OAuth without a description", { error: "invalid_token" }, "invalid_token"],
  ["FastAPI", { detail: "Not authenticated" }, "Not authenticated"],
  [
    "FastAPI's validation",
    { detail: [{ loc: ["body", "id"], msg: "field required" }, { msg: "not a number" }] },
    "field required; not a number",
  ],
  ["a list of texts", { detail: ["too long", "too odd"] }, "too long; too odd"],
  ["problem+json", { type: "about:blank", title: "Bad", status: 400, detail: "no id" }, "no id"],
  ["problem+json without a detail", { title: "Out of credit", status: 403 }, "Out of credit"],
  ["errors[] of texts", { errors: ["one", "two", "three", "four"] }, "one; two; three"],
  ["errors[] of objects", { errors: [{ title: "Bad", detail: "id is wrong" }] }, "id is wrong"],
  [
    "errors by field",
    { errors: { name: ["is empty"], age: "is odd" } },
    "name: is empty; age: is odd",
  ],
  ["NestJS", { statusCode: 404, message: ["no route"], error: "Not Found" }, "no route"],
  ["msg", { code: 17, msg: "quota" }, "quota"],
  ["AWS", { Message: "User is not authorized" }, "User is not authorized"],
  ["reason", { ok: false, reason: "paused" }, "paused"],
  ["a nested reason", { error: { errors: [{ reason: "rateLimited" }] } }, "rateLimited"],
  ["Apigee", { fault: { faultstring: "no key", detail: { errorcode: "x" } } }, "no key"],
  ["error_message", { error_message: "bad key" }, "bad key"],
  ["a list at the top", [{ message: "first" }], "first"],
  ["a text", "go away", "go away"],
  ["a gateway's envelope", { status: 402, data: { message: "out of credit" } }, "out of credit"],
  ["two envelopes", { response: { body: { error: "paused" } } }, "paused"],
  ["no reason but a list", { tags: ["a", "b"], id: 1 }, ""],
  ["an empty text beside a reason", { message: "", error: "real" }, "real"],
])("the reason of %s is found", (_form, body, reason) => {
  expect(reasonIn(JSON.stringify(body))).toBe(reason);
});

test.each([
  ["plain text", "  upstream is down\n", "upstream is down"],
  [
    "an HTML page",
    "<!DOCTYPE html><html><head>\n<title>502 Bad Gateway</title>",
    "502 Bad Gateway",
  ],
  [
    "entities",
    "<html><title lang=en>Q&amp;A &#8212; &#x41; &bogus;</title>",
    "Q&A \u2014 A &bogus;",
  ],
  [
    "XML",
    "<?xml version='1.0'?><Error><Code>X</Code><Message>Access Denied</Message>",
    "Access Denied",
  ],
  ["a page without a title or heading", "<html><body>hello</body></html>", ""],
  ["a page without a title", "<html><body><h1>\n Upgrade needed</h1></body>", "Upgrade needed"],
  ["a page with an empty title", "<title></title><h2>Upgrade needed</h2>", "Upgrade needed"],
  ["error_msg", '{"error_code":1,"error_msg":"no such route"}', "no such route"],
  ["JSON that is cut off", '{"message":"hel', '{"message":"hel'],
  ["a form", '{"name":["This field is required."]}', "name: This field is required."],
  ["JSON of other members", '{"status":"error","code":17}', ""],
  ["an empty object", " {} ", ""],
  ["an empty list", "[[]]", ""],
  ["nothing", "", ""],
])("the reason in %s is found", (_form, body, reason) => {
  expect(reasonIn(body)).toBe(reason);
});

test("a hostile body is read in bounded time and stack", () => {
  const deep = `${'{"error":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  const startedAt = performance.now();
  for (const body of [
    deep,
    "[".repeat(500_000),
    "<title ".repeat(100_000),
    `<title>${"&#".repeat(400_000)}`,
  ])
    expect(typeof reasonIn(body)).toBe("string");
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

test("members of Object.prototype are not read as reasons", () => {
  expect(reasonIn('{"__proto__":{"message":"x"},"constructor":"y"}')).toBe("");
});
