// Makes docs/setup.svg from a real run of the compiled wizard against the built-in demo server:
//   ./build.sh && bun scripts/picture.ts [FILE]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDemoServer } from "../src/commands/demo/server.ts";
import { Screen } from "./screen.ts";

const root = join(import.meta.dir, "..");
const columns = 92;
const limitMs = 30_000;

/** Answers the wizard as a new user does; resolves to the last screen. */
async function recorded(): Promise<Screen> {
  const server = startDemoServer();
  const home = mkdtempSync(join(tmpdir(), "picture-"));
  const screen = new Screen(columns);
  const decoder = new TextDecoder();
  let news = Promise.withResolvers<void>();
  let whole = "";
  const scrub = (text: string) =>
    text.replaceAll(home, "~").replaceAll(server.url.host, "127.0.0.1:8080");
  const child = Bun.spawn([join(root, "dist/codex-mcp-http-bridge"), "setup"], {
    env: { HOME: home, PATH: process.env.PATH ?? "", TERM: "xterm-256color" },
    terminal: {
      cols: columns,
      rows: 60,
      data: (_, bytes) => {
        const text = decoder.decode(bytes, { stream: true });
        whole += text;
        screen.write(scrub(text));
        news.resolve();
        news = Promise.withResolvers();
      },
    },
  });
  const kill = setTimeout(() => child.kill("SIGKILL"), limitMs);
  let seen = 0;
  const answer = async (question: string, keys: string) => {
    for (;;) {
      const plain = Bun.stripANSI(whole);
      const at = plain.indexOf(question, seen);
      if (at >= 0) {
        seen = at + question.length;
        break;
      }
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`it ended before ${JSON.stringify(question)}:\n${plain}`);
      await Promise.race([news.promise, child.exited]);
    }
    child.terminal?.write(keys);
  };
  try {
    await answer("Name of the server?", "knowledge-bank\r");
    await answer("URL?", `${server.url.href}\r`);
    await answer("How do you sign in?", "\r");
    await answer("Token?", `${server.token}\r`);
    await answer("Description?", "Our knowledge bank\r");
    await answer("May Codex call", "\r");
    await answer("Test", "\r");
    await answer("into Codex's configuration now?", "y");
    await answer("What next?", "\r");
    await child.exited;
    return screen;
  } finally {
    clearTimeout(kill);
    child.kill("SIGKILL");
    await child.exited;
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const lineHeight = 19;
const cellWidth = 8.4;
const margin = 20;

/** The screen as an SVG in the reader's light or dark theme. */
function drawn({ rows }: Screen): string {
  const width = Math.round(columns * cellWidth + 2 * margin);
  const height = (rows.length + 1) * lineHeight + 2 * margin;
  const lines = rows.map((row, at) => {
    const runs: { text: string; style: string; column: number }[] = [];
    for (const [column, { character, style }] of row.entries()) {
      const last = runs.at(-1);
      if (last?.style === style) last.text += character;
      else runs.push({ text: character, style, column });
    }
    const y = margin + (at + 1) * lineHeight;
    return runs
      .filter(({ text }) => text.trim() !== "")
      .map(({ text, style, column }) => {
        const x = (margin + column * cellWidth).toFixed(1);
        const length = (text.trimEnd().length * cellWidth).toFixed(1);
        const name = style === "" ? "" : ` class="${style}"`;
        return `<text x="${x}" y="${y}"${name} textLength="${length}">${escaped(text.trimEnd())}</text>`;
      })
      .join("");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="codex-mcp-http-bridge setup adds and tests a server">
<style>
svg{--back:#fff;--text:#1f2328;--dim:#6e7781;--red:#cf222e;--green:#1a7f37;--yellow:#9a6700;--blue:#0969da;--magenta:#8250df;--cyan:#1b7c83;--edge:#d0d7de}
@media (prefers-color-scheme:dark){svg{--back:#0d1117;--text:#e6edf3;--dim:#8b949e;--red:#ff7b72;--green:#3fb950;--yellow:#d29922;--blue:#58a6ff;--magenta:#bc8cff;--cyan:#39c5cf;--edge:#30363d}}
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--text);white-space:pre}
.bold{font-weight:bold}.red{fill:var(--red)}.green{fill:var(--green)}.yellow{fill:var(--yellow)}.blue{fill:var(--blue)}.magenta{fill:var(--magenta)}.cyan{fill:var(--cyan)}.dim,.gray,.black{fill:var(--dim)}
</style>
<rect width="${width}" height="${height}" rx="8" style="fill:var(--back);stroke:var(--edge)"/>
<text x="${margin}" y="${margin}" class="dim">$ codex-mcp-http-bridge setup</text>
${lines.join("\n")}
</svg>
`;
}

const screen = await recorded();
const file = process.argv[2] ?? join(root, "docs/setup.svg");
await Bun.write(file, drawn(screen));
console.log(screen.text);
console.log(`wrote ${file}`);
