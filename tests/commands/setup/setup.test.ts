import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AsksUser } from "../../../src/commands/setup/prompts.ts";
import { wizard } from "../../../src/commands/setup/wizard.ts";
import { readConfig } from "../../../src/config/load.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";
import { runInProcess } from "../../support/in-process.ts";

/** Nothing listens there. */
const url = "https://127.0.0.1:9/mcp";
let folder: ReturnType<typeof ownFolder>;
let home: string;
beforeEach(() => {
  folder = ownFolder();
  home = join(folder.path, ".codex-mcp-bridge");
});
afterEach(() => folder[Symbol.dispose]());

const setup = (...words: string[]) =>
  runInProcess(["setup", ...words], { HOME: folder.path, PATH: "/bin" });
const servers = () => JSON.parse(readFileSync(join(home, "config.json"), "utf8")).servers;
const save = (content: object) => {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "config.json"), JSON.stringify({ servers: content }), { mode: 0o600 });
};

describe("the flag form of setup", () => {
  test.each<[words: string[], entry: object, note: string]>([
    [
      ["--token-env", "KB_TOKEN"],
      { tokenEnv: "KB_TOKEN" },
      "the variable KB_TOKEN is not set here",
    ],
    [["--token-file", "/none/t"], { tokenFile: "/none/t" }, "there is no file /none/t"],
    [["--oauth"], { auth: { type: "oauth" } }, ""],
    [["--no-auth"], { auth: { type: "none" } }, ""],
    [
      ["--header-env", "X-Key=KEY", "--header-env", "X-Org = ORG"],
      { headers: { "X-Key": `\${KEY}`, "X-Org": `\${ORG}` }, auth: { type: "none" } },
      "",
    ],
    [
      ["--token-env", "PATH", "--header-env", "X-Key=KEY"],
      { tokenEnv: "PATH", headers: { "X-Key": `\${KEY}` } },
      "",
    ],
    [
      ["--no-auth", "--description", "mine", "--approval", "approve"],
      { auth: { type: "none" }, description: "mine", codex: { approval: "approve" } },
      "",
    ],
  ])("%p becomes its entry", async (words, entry, note) => {
    const ended = await setup("--server", "kb", "--url", url, ...words);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain(note);
    if (note === "") expect(ended.stderr).toBe("");
    expect(servers()).toEqual({ kb: { url, ...entry } });
  });

  test("a new path of the same origin keeps the credential", async () => {
    save({ kb: { url, token: "tok" } });
    expect((await setup("--server", "kb", "--url", `${url}/v2`)).code).toBe(0);
    expect(servers()).toEqual({ kb: { url: `${url}/v2`, token: "tok" } });
  });

  test("a new header keeps the credential, and an Authorization header replaces it", async () => {
    save({ kb: { url, token: "tok", headers: { "x-org": "a" } } });
    await setup("--server", "kb", "--header-env", "X-Org=ORG");
    expect(servers().kb).toEqual({ url, token: "tok", headers: { "X-Org": `\${ORG}` } });
    await setup("--server", "kb", "--header-env", "Authorization=AUTH");
    expect(servers().kb).toEqual({
      url,
      auth: { type: "none" },
      headers: { "X-Org": `\${ORG}`, Authorization: `\${AUTH}` },
    });
    await setup("--server", "kb", "--oauth");
    expect(servers().kb).toEqual({ url, auth: { type: "oauth" }, headers: { "X-Org": `\${ORG}` } });
  });

  test("choosing OAuth again keeps the OAuth settings of the entry", async () => {
    const auth = { type: "oauth", clientId: "id", scopes: ["mcp"] };
    save({ kb: { url, auth } });
    await setup("--server", "kb", "--oauth", "--approval", "writes");
    expect(servers().kb).toEqual({ url, auth, codex: { approval: "writes" } });
    await setup("--server", "kb", "--approval", "default");
    expect(servers().kb).toEqual({ url, auth });
  });

  test("a change of one entry leaves the Python package's other entries unchanged", async () => {
    const old = { url, access_token: "pat", description: "old" };
    save({ old, kb: { url, access_token: " pat " } });
    await setup("--server", "kb", "--description", "new");
    expect(servers()).toEqual({ old, kb: { url, token: "pat", description: "new" } });
  });

  test("prints the JSON Schema", async () => {
    const { stdout } = await setup("--schema");
    expect(JSON.parse(stdout).title).toContain("codex-mcp-http-bridge");
  });
});

/** Answers by script: each question is the next one, and its answer is checked as the wizard checks it. */
class Script implements AsksUser {
  readonly told: string[] = [];
  readonly #answers: [question: string, answer: string | boolean][];

  constructor(answers: [question: string, answer: string | boolean][]) {
    this.#answers = answers;
  }

  get left(): number {
    return this.#answers.length;
  }

  #next(message: string): string | boolean {
    const [question = "", answer = ""] = this.#answers.shift() ?? [];
    expect(message).toContain(question);
    return answer;
  }

  async text(message: string, check: (answer: string) => string | undefined): Promise<string> {
    const answer = String(this.#next(message));
    expect(check(answer)).toBeUndefined();
    return answer;
  }

  secret(message: string, check: (answer: string) => string | undefined): Promise<string> {
    return this.text(message, check);
  }

  async choice<const T extends string>(
    message: string,
    options: readonly { readonly value: T }[],
  ): Promise<T> {
    const answer = this.#next(message);
    const found = options.find(({ value }) => value === answer);
    if (found === undefined) throw new Error(`${answer} is not offered by ${message}`);
    return found.value;
  }

  async yes(message: string): Promise<boolean> {
    return this.#next(message) === true;
  }

  busy<T>(_: string, work: () => Promise<T>): Promise<T> {
    return work();
  }
  success(line: string): void {
    this.told.push(line);
  }
  failure(line: string): void {
    this.told.push(line);
  }
  info(line: string): void {
    this.told.push(line);
  }
  end(steps: readonly string[]): void {
    this.told.push(...steps);
  }
  release(): void {}
}

async function converse(answers: [question: string, answer: string | boolean][]) {
  const context = testContext({
    env: { HOME: folder.path, CODEX_HOME: join(folder.path, "codex") },
  });
  const script = new Script(answers);
  const form = { change: { name: "" }, credential: undefined };
  await wizard(form, await readConfig(context.paths()), context, script);
  expect(script.left).toBe(0);
  return script.told;
}

describe("the wizard", () => {
  test("adds a server with a key in a header, and shows why Codex's entry could not be written", async () => {
    const told = await converse([
      ["Name", "kb"],
      ["URL", url],
      ["sign in", "header"],
      ["Name of the header", "X-Api-Key"],
      ["Key?", "canary-key"],
      ["Description", ""],
      ["May Codex", "writes"],
      ["Test", false],
      ["Codex's configuration", true],
      ["What next?", "finish"],
    ]);
    expect(servers()).toEqual({
      kb: {
        url,
        auth: { type: "none" },
        headers: { "X-Api-Key": "canary-key" },
        codex: { approval: "writes" },
      },
    });
    expect(told).toContain(
      "the bridge runs from source, which no client can start\nhint: build it with ./build.sh, or name the executable: --command PATH",
    );
    expect(told.slice(-2)).toEqual([
      "codex-mcp-http-bridge test --server kb",
      "codex-mcp-http-bridge codex-config --server kb --write",
    ]);
    expect(told.join()).not.toContain("canary");
  });

  test("changes a server, then removes it after a confirmation", async () => {
    save({
      kb: { url, token: "canary", description: "old" },
      crm: { url, auth: { type: "oauth" } },
    });
    const told = await converse([
      ["What next?", "change"],
      ["Which server?", "crm"],
      ["Which URL?", "keep"],
      ["sign in", "none"],
      ["Description", "new"],
      ["May Codex", "default"],
      ["Test", false],
      ["Codex's configuration", false],
      ["What next?", "remove"],
      ["removed?", "kb"],
      ["Remove", false],
      ["What next?", "remove"],
      ["removed?", "kb"],
      ["Remove", true],
      ["What next?", "finish"],
    ]);
    expect(servers()).toEqual({ crm: { url, auth: { type: "none" }, description: "new" } });
    expect(told[0]).toBe(`Found ${home}/config.json with "kb", "crm"`);
    expect(told).toContain('Removed "kb"');
  });

  test("asks for a credential if the server moves to another origin", async () => {
    save({ kb: { url, token: "canary", headers: { "X-Key": "canary" } } });
    const told = await converse([
      ["What next?", "change"],
      ["Which server?", "kb"],
      ["Which URL?", "other"],
      ["URL?", "https://other.example.com/mcp"],
      ["sign in", "oauth"],
      ["Description", ""],
      ["May Codex", "default"],
      ["Sign in", false],
      ["Codex's configuration", false],
      ["What next?", "finish"],
    ]);
    expect(servers()).toEqual({
      kb: { url: "https://other.example.com/mcp", auth: { type: "oauth" } },
    });
    expect(told.join("\n")).toContain("the old credential is not sent there");
    expect(told).toContain("codex-mcp-http-bridge login --server kb");
  });
});
