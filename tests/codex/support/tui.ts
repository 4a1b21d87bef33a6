import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { endOf } from "../../support/program.ts";
import type { Home } from "./codex.ts";

/** Longer than any screen needs, on a loaded machine too. */
const screenWaitMs = 30_000;

/** The processes that run for a home: Codex's background server outlives its TUI. */
function processesOf({ path }: Home): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`HOME=${path}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Codex's TUI in a terminal of its own (tmux), driven by key presses. */
export class Tui implements AsyncDisposable {
  readonly #home: Home;

  private constructor(home: Home) {
    this.#home = home;
  }

  /** Starts it in the home's work folder and waits until it takes a prompt. */
  static async start(home: Home): Promise<Tui> {
    const tui = new Tui(home);
    await tui.#tmux("-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "50", "codex");
    await tui.sees(/scripted default · /);
    return tui;
  }

  async #tmux(...words: readonly string[]): Promise<string> {
    const child = Bun.spawn(["tmux", "-S", join(this.#home.path, "tmux"), ...words], {
      cwd: this.#home.work,
      env: { ...this.#home.env, TERM: "xterm-256color", COLORTERM: "truecolor" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const { code, stdout: text, stderr: error } = await endOf(child);
    if (code !== 0) throw new Error(`tmux ${words[0]}: ${error}`);
    return text;
  }

  /** The lines on the screen, each joined to its continuation where it is wrapped. */
  async screen(): Promise<string> {
    return (await this.#tmux("capture-pane", "-p", "-J")).trimEnd();
  }

  /** Waits until the screen shows it. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    for (const end = Date.now() + screenWaitMs; ; await Bun.sleep(50)) {
      const screen = await this.screen();
      const match = pattern.exec(screen);
      if (match !== null) return match;
      if (Date.now() > end) throw new Error(`the screen never showed ${pattern}, but:\n${screen}`);
    }
  }

  /** Presses keys by their names in tmux, such as Enter or F2. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux("send-keys", ...keys);
  }

  /** Types a prompt and sends it. */
  async says(text: string): Promise<void> {
    await this.#tmux("send-keys", "-l", text);
    await this.sees(new RegExp(`› ${RegExp.escape(text)}`));
    await this.press("Enter");
  }

  /** Leaves the TUI as its user does; its background server goes on. */
  async quit(): Promise<void> {
    await this.says("/quit");
    for (const end = Date.now() + screenWaitMs; await this.#isRunning(); await Bun.sleep(50))
      if (Date.now() > end) throw new Error(`the TUI goes on:\n${await this.screen()}`);
  }

  #isRunning(): Promise<boolean> {
    return this.#tmux("has-session").then(
      () => true,
      () => false,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (await this.#isRunning()) await this.#tmux("kill-server");
    while (processesOf(this.#home).length > 0) {
      for (const pid of processesOf(this.#home)) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended by itself.
        }
      }
      await Bun.sleep(20);
    }
  }
}
