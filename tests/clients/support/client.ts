import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compiledBridge } from "../../support/binary.ts";

const bin = join(import.meta.dir, "../node_modules/.bin");

export interface Ended {
  readonly code: number | null;
  /** stdout and stderr, without colours. */
  readonly text: string;
}

/** A user's home with the clients and the bridge on PATH. */
export class Home implements Disposable {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), "clients-test-")));
  readonly work = join(this.path, "work");
  /** Variables beside HOME, PATH and LANG. */
  readonly variables: { [name: string]: string; KB_TOKEN?: string } = {};

  constructor() {
    mkdirSync(this.work);
  }

  /** Writes a file, relative to the home. */
  put(name: string, text: string): void {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: 0o600 });
  }

  text(name: string): string {
    return readFileSync(join(this.path, name), "utf8");
  }

  /** Runs a program in the work folder to its end, with nothing on stdin. */
  async run(...words: readonly string[]): Promise<Ended> {
    const path = [dirname(compiledBridge()), bin, process.env.PATH ?? ""].join(":");
    const child = Bun.spawn([...words], {
      cwd: this.work,
      env: { HOME: this.path, PATH: path, LANG: "C.UTF-8", ...this.variables },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr, code] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    return { code, text: Bun.stripANSI(stdout + stderr) };
  }

  /** Runs the bridge, which must succeed; resolves to what it printed. */
  async bridge(...words: readonly string[]): Promise<string> {
    const ended = await this.run("codex-mcp-http-bridge", ...words);
    if (ended.code !== 0) throw new Error(`${words.join(" ")}: ${ended.code}\n${ended.text}`);
    return ended.text;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
