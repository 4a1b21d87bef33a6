import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compiledBridge } from "../../support/binary.ts";
import { type Ended, endOf } from "../../support/program.ts";

const bin = join(import.meta.dir, "../node_modules/.bin");

/** A user's home with Codex and the bridge on PATH, offline. */
export class Home implements Disposable {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), "codex-test-")));
  readonly work = join(this.path, "work");
  /** Variables beside HOME, PATH and LANG. */
  readonly variables: Record<string, string> = {};
  readonly configFile = join(this.path, ".codex/config.toml");

  constructor(config = "") {
    mkdirSync(this.work);
    mkdirSync(join(this.path, ".codex"));
    writeFileSync(this.configFile, config);
  }

  get config(): string {
    return readFileSync(this.configFile, "utf8");
  }

  get env(): Record<string, string> {
    const path = [dirname(compiledBridge()), bin, process.env.PATH ?? ""].join(":");
    return { HOME: this.path, PATH: path, LANG: "C.UTF-8", ...this.variables };
  }

  /** Starts a program in the work folder. */
  spawn(words: readonly string[]) {
    return Bun.spawn([...words], {
      cwd: this.work,
      env: this.env,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  /** Runs a program to its end, with nothing on stdin. */
  async run(...words: readonly string[]): Promise<Ended> {
    const child = this.spawn(words);
    child.stdin.end();
    return endOf(child);
  }

  /** Runs the bridge, which must succeed. */
  async bridge(...words: readonly string[]): Promise<string> {
    const ended = await this.run("codex-mcp-http-bridge", ...words);
    if (ended.code !== 0) throw new Error(`${words.join(" ")}: ${ended.code}\n${ended.stderr}`);
    return ended.stdout;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A configuration that keeps Codex offline and lets it talk to a scripted model. */
export function offline(modelUrl: string): string {
  return `# How this team works with Codex
model = "scripted" # not a real one
model_provider = "scripted"

[model_providers.scripted]
name = "scripted"
base_url = "${modelUrl}"
wire_api = "responses"

[features]
plugins = false
apps = false

[analytics]
enabled = false
`;
}
