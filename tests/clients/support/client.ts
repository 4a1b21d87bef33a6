import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compiledBridge } from "../../support/binary.ts";
import { endOf } from "../../support/program.ts";

const bin = join(import.meta.dir, "../node_modules/.bin");

/** Result of a program that has ended. */
export interface ProgramResult {
  readonly code: number | null;
  /** stdout followed by stderr, without colours. */
  readonly text: string;
}

/** A temporary home, with functions that run programs with the clients and the bridge on PATH. */
export class Home implements Disposable {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), "clients-test-")));
  readonly work = join(this.path, "work");
  /** Environment variables in addition to HOME, PATH and LANG. */
  readonly variables: { [name: string]: string; KB_TOKEN?: string } = {};

  constructor() {
    mkdirSync(this.work);
  }

  /** Writes a file; `name` is relative to the home. */
  put(name: string, text: string): void {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: 0o600 });
  }

  text(name: string): string {
    return readFileSync(join(this.path, name), "utf8");
  }

  /** Runs a program in the work folder until it ends, with an empty stdin. */
  async run(...words: readonly string[]): Promise<ProgramResult> {
    const path = [dirname(compiledBridge()), bin, process.env.PATH ?? ""].join(":");
    const child = Bun.spawn([...words], {
      cwd: this.work,
      env: { HOME: this.path, PATH: path, LANG: "C.UTF-8", ...this.variables },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const { code, stdout, stderr } = await endOf(child);
    return { code, text: Bun.stripANSI(stdout + stderr) };
  }

  /** Runs the bridge and returns its output. Throws if it fails. */
  async bridge(...words: readonly string[]): Promise<string> {
    const ended = await this.run("codex-mcp-http-bridge", ...words);
    if (ended.code !== 0) throw new Error(`${words.join(" ")}: ${ended.code}\n${ended.text}`);
    return ended.text;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
