import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { compiledBridge } from "../support/binary.ts";
import { startEverything } from "../support/everything.ts";
import { Home, offline } from "./support/codex.ts";
import { guarded } from "./support/guarded.ts";
import { callsTool, scriptedModel } from "./support/model.ts";
import { bridgesOf, exec } from "./support/trip.ts";

describe("codex-config --native", () => {
  test("lets Codex's own client ask the bridge for the headers, by a path with a space in it", async () => {
    await using everything = await startEverything("streamableHttp");
    await using front = guarded("s3cret-token");
    front.upstream = everything.url;
    const call = callsTool("kb", "echo", { message: "natively" }, "call");
    await using model = scriptedModel([[call]]);
    using home = new Home(offline(model.url));
    mkdirSync(join(home.path, "my programs"));
    const bridge = join(home.path, "my programs/it's a bridge");
    symlinkSync(compiledBridge(), bridge);
    Object.assign(home.variables, { TOKEN: "s3cret-token" });
    const setup = `codex-mcp-http-bridge setup --server kb --url ${front.url} --approval approve`;
    await home.run("sh", "-c", `printf %s "$TOKEN" | ${setup} --token-stdin`);
    await home.bridge("codex-config", "--write");
    await home.bridge("codex-config", "--write", "--native", "--command", bridge);
    Reflect.deleteProperty(home.variables, "TOKEN");
    expect(home.config).not.toContain("s3cret-token");
    const { stdout } = await home.run("codex", "mcp", "get", "kb", "--json");
    expect(JSON.parse(stdout).transport).toMatchObject({
      type: "streamable_http",
      url: front.url,
    });
    expect((await exec(home, "--strict-config", "-c", "mcp_servers.kb.required=true")).code).toBe(
      0,
    );
    expect(model.requests[1]?.outputs.get("call")).toContain("Echo: natively");
    expect(front.seen.every((each) => each === "Bearer s3cret-token")).toBe(true);
    expect(bridgesOf(home)).toEqual([]);
    await home.bridge("codex-config", "--write");
    const back = await home.run("codex", "mcp", "get", "kb", "--json");
    expect(JSON.parse(back.stdout).transport).toMatchObject({
      type: "stdio",
      command: compiledBridge(),
    });
  });
});
