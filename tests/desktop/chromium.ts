import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A page of a real browser, driven by the DevTools protocol. */
export interface Page {
  send(method: string, params?: object): Promise<Record<string, unknown>>;
  /** The value of an expression in the page. */
  evaluate<T>(expression: string): Promise<T>;
  /** Resolves when the expression is true. */
  until(expression: string): Promise<void>;
  /** What the browser complained about. */
  readonly complaints: string[];
}

export interface Browser {
  open(): Promise<Page>;
  close(): Promise<void>;
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: { entry?: { text?: string }; targetInfo?: object };
  readonly result?: Record<string, unknown>;
  readonly error?: { message: string };
}

/** Starts Chromium without a window, with a profile of its own. */
export async function startChromium(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "chromium-"));
  const child = Bun.spawn(
    [
      "chromium",
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--no-proxy-server",
      "--disable-background-networking",
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      "about:blank",
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "pipe", env: { ...process.env, HOME: profile } },
  );
  let stderr = "";
  let address: string | undefined;
  for await (const chunk of child.stderr) {
    stderr += new TextDecoder().decode(chunk);
    address = /ws:\/\/127\.0\.0\.1:\d+\/devtools\/browser\/\S+/.exec(stderr)?.[0];
    if (address !== undefined) break;
  }
  if (address === undefined) throw new Error(`Chromium did not start: ${stderr}`);
  const socket = new WebSocket(address);
  await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
  const waiting = new Map<number, (reply: Reply) => void>();
  const complaints = new Map<string, string[]>();
  let count = 0;
  socket.addEventListener("message", ({ data }) => {
    const reply = JSON.parse(String(data)) as Reply;
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
    if (reply.method !== "Log.entryAdded") return;
    complaints.get(reply.sessionId ?? "")?.push(reply.params?.entry?.text ?? "");
  });
  const send = async (method: string, params: object = {}, sessionId?: string) => {
    const id = ++count;
    socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
    const reply = await new Promise<Reply>((resolve) => waiting.set(id, resolve));
    if (reply.error !== undefined) throw new Error(`${method}: ${reply.error.message}`);
    return reply.result ?? {};
  };
  return {
    async open() {
      const { targetId } = await send("Target.createTarget", { url: "about:blank" });
      const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
      const session = String(sessionId);
      const own: string[] = [];
      complaints.set(session, own);
      await send("Log.enable", {}, session);
      const evaluate = async <T>(expression: string) => {
        const { result } = await send(
          "Runtime.evaluate",
          { expression, returnByValue: true },
          session,
        );
        return (result as { value: T }).value;
      };
      return {
        complaints: own,
        send: (method, params) => send(method, params, session),
        evaluate,
        async until(expression) {
          // The page says nothing when it has changed: it is asked.
          while (!(await evaluate<boolean>(`Boolean(${expression})`).catch(() => false)))
            await Bun.sleep(20);
        },
      };
    },
    async close() {
      socket.close();
      child.kill();
      await child.exited;
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
