// Runs the scripts of docs/codex-vm.md: each line that a reader copies must work as it stands there.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { version } from "../../package.json";
import { compiledBridge } from "../support/binary.ts";
import { startEverything } from "../support/everything.ts";
import { type AuthorizationServer, startProvider } from "../support/oauth-provider.ts";
import { startProtectedServer } from "../support/oauth-resource.ts";
import { approve } from "../support/oauth-user.ts";
import { certificates, gzipForms, ReleaseServer, script } from "../support/release-server.ts";
import { Home, offline } from "./support/codex.ts";
import { guarded } from "./support/guarded.ts";
import { callsTool, type ScriptedModel, scriptedModel } from "./support/model.ts";
import { exec } from "./support/trip.ts";

const page = readFileSync(join(import.meta.dir, "../../docs/codex-vm.md"), "utf8");

/** A block of the page, by its language and the text of its first line. */
function block(language: string, first: string): string {
  const found = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].find(
    ([, name, text]) => name === language && text!.startsWith(first),
  );
  if (found === undefined) throw new Error(`the page has no ${language} block "${first}"`);
  return found[2]!;
}

let releases: ReleaseServer;
beforeAll(async () => {
  releases = await new ReleaseServer().start();
  releases.publish({
    ...gzipForms(version, readFileSync(compiledBridge())),
    "install.sh": readFileSync(script, "utf8").replace(
      /^releases=.*$/m,
      `releases=${releases.address}`,
    ),
  });
});
afterAll(() => releases[Symbol.asyncDispose]());

interface Machine extends AsyncDisposable {
  readonly home: Home;
  readonly model: ScriptedModel;
}

/** A home of Codex with a scripted model that calls the tool `echo` of the server `kb`. */
function machine(): Machine {
  const model = scriptedModel([[callsTool("kb", "echo", { message: "from a machine" }, "call")]]);
  const home = new Home(offline(model.url));
  Object.assign(home.variables, {
    RELEASES: releases.address.replace(/\/$/, ""),
    CURL_CA_BUNDLE: join(certificates, "ca.pem"),
  });
  return {
    home,
    model,
    async [Symbol.asyncDispose]() {
      home[Symbol.dispose]();
      await model[Symbol.asyncDispose]();
    },
  };
}

/** Runs a script in the home with further variables, which must succeed. */
async function runScript(home: Home, text: string, variables: Record<string, string>) {
  Object.assign(home.variables, variables);
  const { code, stdout, stderr } = await home.run("sh", "-euc", text);
  if (code !== 0) throw new Error(`${text}\nended with ${code}: ${stdout}${stderr}`);
}

/** Expects that the installed bridge, started by Codex, carries a call to the server. */
async function callsThroughCodex({ home, model }: Machine): Promise<void> {
  expect(home.config).toContain(`command = "${home.path}/.local/bin/codex-mcp-http-bridge"`);
  expect((await exec(home)).code).toBe(0);
  expect(model.requests[0]?.offered).toContain("mcp__kb/echo");
  expect(model.requests[1]?.outputs.has("call")).toBe(true);
  expect(model.requests[1]?.outputs.get("call")).not.toContain("rror");
}

describe("a server with a token", () => {
  test.each([
    ["# setup script\n", true],
    ["# setup script with a secret", false],
  ])(
    "%s",
    async (first, isLater) => {
      await using on = machine();
      const { home } = on;
      await using everything = await startEverything("streamableHttp");
      await using front = guarded("s3cret-token");
      front.upstream = everything.url;
      await runScript(home, block("sh", first), { KB_URL: front.url, KB_TOKEN: "s3cret-token" });
      if (!isLater) delete home.variables["KB_TOKEN"];
      await callsThroughCodex(on);
    },
    120_000,
  );

  test("the steps of the workflow", async () => {
    await using on = machine();
    const { home } = on;
    await using everything = await startEverything("streamableHttp");
    await using front = guarded("s3cret-token");
    front.upstream = everything.url;
    const workflow = parse(block("yaml", "name: review"));
    const steps: { name?: string; run: string }[] = workflow.jobs.review.steps;
    const [configure, codex] = steps.filter(({ name }) => name !== undefined);
    const GITHUB_PATH = join(home.path, "github-path");
    await runScript(home, configure!.run, { KB_URL: front.url, GITHUB_PATH });
    const added = readFileSync(GITHUB_PATH, "utf8").trim();
    expect(existsSync(join(added, "codex-mcp-http-bridge"))).toBe(true);
    // The test's work folder is no git repository, unlike a checkout.
    const command = codex!.run.replace("codex exec", "codex exec --skip-git-repo-check");
    await runScript(home, command, { KB_TOKEN: "s3cret-token" });
    expect(on.model.requests[1]?.outputs.get("call")).toContain("Echo: from a machine");
  }, 120_000);
});

describe("OAuth", () => {
  let provider: AuthorizationServer;
  let resource: ReturnType<typeof startProtectedServer>;
  beforeAll(async () => {
    provider = await startProvider({
      clients: [
        {
          client_id: "machine",
          client_secret: "a-configured-secret",
          token_endpoint_auth_method: "client_secret_basic",
          grant_types: ["client_credentials"],
          redirect_uris: [],
          response_types: [],
          scope: "mcp",
        },
      ],
    });
    resource = startProtectedServer(provider);
  });
  afterAll(async () => {
    await resource.close();
    await provider.close();
  });

  test("a machine signs in itself", async () => {
    await using on = machine();
    const { home } = on;
    await runScript(home, block("sh", "# sign-in of a machine"), {
      KB_URL: resource.url,
      KB_CLIENT_ID: "machine",
      KB_CLIENT_SECRET: "a-configured-secret",
    });
    await callsThroughCodex(on);
  }, 120_000);

  test("a person's sign-in is exported and imported", async () => {
    await using person = machine();
    const own = person.home;
    await own.bridge("setup", "--server", "kb", "--url", resource.url, "--oauth");
    // The browser of the page's first line is a program that approves.
    const [login, ...rest] = block("sh", "# on your own machine").split("\n").slice(1);
    const child = own.spawn(["sh", "-c", `${login} --no-browser`]);
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let shown = "";
    while (!/\/auth\?\S+\s/.test(shown)) shown += (await reader.read()).value ?? "";
    child.stdin.write(`${await approve(/http:\/\/127\S+\/auth\?\S+/.exec(shown)![0])}\n`);
    child.stdin.end();
    expect(await child.exited).toBe(0);
    await runScript(own, rest.join("\n"), { KB_PASSPHRASE: "correct horse battery" });
    const KB_SIGN_IN = readFileSync(join(own.work, "kb.sign-in"), "utf8").trim();

    await using on = machine();
    const { home } = on;
    await runScript(home, block("sh", "# import of a sign-in"), {
      KB_SIGN_IN,
      KB_PASSPHRASE: "correct horse battery",
    });
    await callsThroughCodex(on);
  }, 120_000);
});

describe("containers", () => {
  test("the Dockerfile's line of install.sh", async () => {
    await using on = machine();
    const { home } = on;
    const line = /^RUN (curl.*)$/m.exec(block("dockerfile", "FROM"))![1]!;
    const to = join(home.path, "usr-local-bin");
    await runScript(home, line.replace("/usr/local/bin", to), {});
    expect(existsSync(join(to, "codex-mcp-http-bridge"))).toBe(true);
  });

  test("the dev container feature", async () => {
    await using on = machine();
    const { home } = on;
    const { options } = JSON.parse(block("json", "{"));
    expect(Object.keys(options)).toEqual(["releases", "version"]);
    for (const VERSION of ["", version]) {
      const BIN = join(home.path, `bin-${VERSION}`);
      await runScript(home, block("sh", "# dev container feature"), { BIN, VERSION });
      expect(existsSync(join(BIN, "codex-mcp-http-bridge"))).toBe(true);
    }
  });
});
