import type { Home } from "./codex.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Json = any;

/** A message of the app server: a request has `id` and `method`, a notification only `method`. */
interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Json;
  readonly result?: Json;
  readonly error?: { readonly message: string };
}

/** Answers a request of Codex (`mcpServer/elicitation/request`, approvals): what it returns is the result. */
type Answer = (method: string, params: Json) => unknown;

/** `codex app-server`, the backend of Codex's TUI, desktop and editor, driven as those do. */
export class AppServer implements AsyncDisposable {
  /** Everything Codex asked, in order. */
  readonly asked: { readonly method: string; readonly params: Json }[] = [];
  readonly #seen: { readonly method: string; readonly params: Json }[] = [];
  readonly #child: ReturnType<Home["spawn"]>;
  readonly #answer: Answer;
  readonly #waiting = new Map<number, (message: Message) => void>();
  #changed = Promise.withResolvers<void>();
  #nextId = 0;
  #hasEnded = false;

  private constructor(home: Home, answer: Answer) {
    this.#child = home.spawn(["codex", "app-server"]);
    this.#answer = answer;
    void this.#child.stderr.text();
    void this.#read();
  }

  /** Starts it and says hello. */
  static async start(home: Home, answer: Answer): Promise<AppServer> {
    const server = new AppServer(home, answer);
    const clientInfo = { name: "bridge-tests", title: null, version: "1" };
    await server.request("initialize", { clientInfo, capabilities: null });
    server.#write({ method: "initialized" });
    return server;
  }

  get pid(): number {
    return this.#child.pid;
  }

  #write(message: Message): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
    this.#child.stdin.flush();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of this.#child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) if (line.trim() !== "") await this.#take(JSON.parse(line));
    }
    this.#hasEnded = true;
    this.#change();
  }

  async #take(message: Message): Promise<void> {
    const { id, method, params } = message;
    if (method === undefined) this.#waiting.get(Number(id))?.(message);
    else if (id === undefined) this.#seen.push({ method, params });
    else {
      this.asked.push({ method, params });
      this.#write({ id, result: await this.#answer(method, params) });
    }
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Sends a request and resolves to its result. */
  async request(method: string, params: Json): Promise<Json> {
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#waiting.set(id, resolve);
    this.#write({ id, method, params });
    const { result, error } = await promise;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** The parameters of the first notification, past or to come, that `suits`. */
  async notification(method: string, suits: (params: Json) => boolean = () => true): Promise<Json> {
    for (;;) {
      const found = this.#seen.find((each) => each.method === method && suits(each.params));
      if (found !== undefined) return found.params;
      if (this.#hasEnded) throw new Error(`codex app-server ended before ${method}`);
      await this.#changed.promise;
    }
  }

  /** Starts a thread in the home's work folder. */
  async startThread(cwd: string): Promise<string> {
    const { thread } = await this.request("thread/start", { cwd });
    return thread.id;
  }

  /** Says something in a thread and waits until the model's turn is over. */
  async turn(threadId: string, text: string): Promise<Json> {
    const input = [{ type: "text", text, text_elements: [] }];
    const { turn } = await this.request("turn/start", { threadId, input });
    return this.notification("turn/completed", (params) => params.turn.id === turn.id);
  }

  /** Ends it as its hosts do: by closing its stdin. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#child.exited;
  }
}
