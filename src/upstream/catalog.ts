// The last good initialize and lists of a server answer while the server itself is still being reached.
import type { Log } from "../host/log.ts";
import { asBridgeError, BridgeError } from "../wire/errors.ts";
import { type Message, notificationOf, responseTo } from "../wire/message.ts";
import { abortable } from "./abortable.ts";
import { type Catalog, type CatalogStore, lists, pageKey } from "./catalog-store.ts";
import type { Deliver, Stop, Upstream } from "./types.ts";
import { handshakeMs, sendWithin, startMs } from "./within.ts";

interface CatalogOptions {
  readonly next: Upstream;
  readonly store: CatalogStore;
  readonly log: Log;
  readonly name: string;
  /** Deadline of a call, where the handshake may not take longer either. */
  readonly timeoutMs: number;
}

/** How long a list waits for the server: fresh beats instant while both fit into the second that Codex grants. */
const freshMs = 300;
/** How long a server is waited for before a catalog that is too old to be served otherwise stands in. */
const staleMs = 5_000;
/** Longest wait between attempts to reach a server that nobody calls. */
const longestWaitMs = 300_000;
/** What tells that the server is out of reach, not that it has changed. */
const offline = ["dns", "connection-refused", "unreachable", "timeout"];

const closing: Stop = { by: "closing" };

export class CatalogUpstream implements Upstream {
  readonly #options: CatalogOptions;
  readonly #ended = new AbortController();
  #key = "";
  /** What the server has said in this run, on top of what it said in an earlier one. */
  #said: Omit<Catalog, "savedAt"> | undefined;
  /** The client's handshake, where the catalog answered it: the server gets it in the background. */
  #initialize: Message | undefined;
  #initialized: Message | undefined;
  #live: Promise<void> | undefined;
  #announcing: Promise<void> | undefined;
  /** The server has the whole handshake: nothing stands between it and the client any more. */
  #isOpen = false;
  /** Lists whose first page came from the catalog: so do their other pages, for cursors belong together. */
  readonly #old = new Set<string>();
  /** Where messages go that belong to no call, once the client listens. */
  #aside: Deliver | undefined;
  #waiting: Message[] = [];

  constructor(options: CatalogOptions) {
    this.#options = options;
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { kind, method } = message.head;
    if (kind === "request" && method === "initialize") return this.#start(message, deliver, signal);
    if (kind === "request" && method !== undefined && Object.hasOwn(lists, method))
      return this.#list(message, deliver, signal);
    if (method === "notifications/initialized") this.#initialized = message;
    const isThrough = this.#initialize === undefined || this.#isOpen;
    if (isThrough) return this.#options.next.send(message, deliver, signal);
    return this.#sendLate(message, deliver, signal);
  }

  async #sendLate(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { next } = this.#options;
    await abortable(this.#connect(), signal);
    if (message !== this.#initialized) await next.send(message, deliver, signal);
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#aside = deliver;
    for (const message of this.#waiting.splice(0)) await deliver(message);
    let waitMs = staleMs;
    while (this.#initialize !== undefined && !signal.aborted) {
      const failed = await abortable(this.#connect(), signal).catch((error) => error ?? true);
      if (failed === undefined) break;
      if (signal.aborted) return;
      // Calls try at once; nobody waits for this, and a refused credential must not be sent for ever.
      await abortable(Bun.sleep(waitMs), signal).catch(() => undefined);
      waitMs = Math.min(waitMs * 2, longestWaitMs);
    }
    await this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    this.#ended.abort(closing);
    return this.#options.next.close(deadlineMs);
  }

  async #start(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { store, log, name } = this.#options;
    this.#initialize = undefined;
    this.#initialized = undefined;
    this.#live = undefined;
    this.#isOpen = false;
    this.#old.clear();
    this.#key = store.keyOf(message);
    const found = store.read(this.#key);
    if (!found?.isFresh) {
      const isOffline = await this.#startLive(message, deliver, signal, found === undefined);
      if (!isOffline || found === undefined) return;
    }
    log.debug("answering from the catalog", { server: name });
    this.#said = found.catalog;
    this.#initialize = message;
    const delivered = deliver(responseTo(message.head.id!, found.catalog.initialize));
    // Behind the turn in which the answer leaves: what reaches the server runs here for the first time.
    setImmediate(() =>
      this.#connect().catch((error) =>
        log.warn("not connected yet", { server: name, error: asBridgeError(error).message }),
      ),
    );
    await delivered;
  }

  /** The handshake with the server itself; true where it is out of reach and may be `stoodIn` for. */
  async #startLive(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    isAlone: boolean,
  ): Promise<boolean> {
    const take: Deliver = (said) => {
      this.#learnStart(said);
      return deliver(said);
    };
    try {
      await sendWithin(isAlone ? startMs : staleMs, this.#options, message, take, signal);
      return false;
    } catch (error) {
      const isOffline = error instanceof BridgeError && offline.includes(error.kind);
      if (isAlone || signal.aborted || !isOffline) throw error;
      return true;
    }
  }

  /** Resolves once the server has taken the handshake that the catalog answered; a failed attempt is made anew. */
  #connect(): Promise<void> {
    this.#live ??= this.#handshake().catch((error) => {
      this.#live = undefined;
      throw error;
    });
    return this.#live.then(() => this.#announce());
  }

  async #handshake(): Promise<void> {
    const { name } = this.#options;
    let answer: Message | undefined;
    this.#announcing = undefined;
    await this.#shake(this.#initialize!, async (said) => {
      this.#learnStart(said);
      if (said.head.kind === "response") answer = said;
      else await this.#tell(said);
    });
    if (answer?.head.isError === true)
      throw new BridgeError("server-error", `"${name}" refused to initialize`, {
        hint: `see codex-mcp-http-bridge test --server ${name}`,
      });
  }

  /** `initialized` follows as soon as the client has sent it. */
  async #announce(): Promise<void> {
    if (this.#initialized === undefined) return;
    const tell: Deliver = (said) => this.#tell(said);
    this.#announcing ??= this.#shake(this.#initialized, tell).catch((error) => {
      this.#announcing = undefined;
      throw error;
    });
    await this.#announcing;
    this.#isOpen = true;
  }

  /** Sends a part of the handshake that no call's deadline bounds: what is lost on the way must be made anew. */
  #shake(message: Message, take: Deliver): Promise<void> {
    const ms = handshakeMs(this.#options.timeoutMs);
    return sendWithin(ms, this.#options, message, take, this.#ended.signal);
  }

  async #list(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const method = message.head.method!;
    const page = pageKey(message);
    const kept = this.#initialize === undefined ? undefined : this.#said?.lists[page];
    const answerKept = (text: string) => {
      this.#old.add(method);
      return deliver(responseTo(message.head.id!, text));
    };
    if (kept === undefined) return this.#listLive(message, deliver, signal);
    if (message.view(["params", "cursor"]) !== undefined && this.#old.has(method))
      return answerKept(kept);
    let isAnswered = false;
    const take: Deliver = async (said) => {
      if (!isAnswered) {
        isAnswered = said.head.kind === "response";
        this.#old.delete(method);
        return deliver(said);
      }
      if (said.head.kind !== "response") await this.#tell(said);
      else if (!said.head.isError && said.text(["result"]) !== kept)
        await this.#tell(notificationOf(lists[method]!));
    };
    // Goes on behind the answer: what is new is announced and kept for the next start.
    const live = this.#listLive(message, take, signal).then(
      () => true,
      (error) => {
        if (signal.aborted) throw error;
        this.#options.log.debug("list from the catalog", { error: asBridgeError(error).message });
        return false;
      },
    );
    await Promise.race([live, Bun.sleep(freshMs)]);
    if (isAnswered) return void (await live);
    isAnswered = true;
    live.catch(() => undefined);
    if (signal.aborted) throw signal.reason;
    await answerKept(kept);
  }

  async #listLive(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const isStart = this.#initialize === undefined && message.head.method === "tools/list";
    if (this.#initialize !== undefined) await abortable(this.#connect(), signal);
    const take: Deliver = async (said) => {
      const { kind, isError } = said.head;
      // Delivered first: whether that is news is told against what was kept.
      await deliver(said);
      if (kind === "response" && isError !== true) this.#learnPage(message, said);
    };
    if (isStart) await sendWithin(startMs, this.#options, message, take, signal);
    else await this.#options.next.send(message, take, signal);
  }

  #learnStart(said: Message): void {
    if (said.head.kind !== "response" || said.head.isError === true) return;
    const initialize = said.text(["result"]);
    if (initialize === undefined) return;
    this.#said = { initialize, lists: this.#said?.lists ?? {} };
    this.#options.store.save(this.#key, this.#said);
  }

  #learnPage(request: Message, said: Message): void {
    const result = said.text(["result"]);
    if (result === undefined || this.#said === undefined) return;
    const page = pageKey(request);
    const first = `${request.head.method} `;
    const isFirst = page === first;
    // A first page that changed makes the old cursors worthless.
    const isNews = isFirst && this.#said.lists[page] !== result;
    const others = Object.entries(this.#said.lists).filter(
      ([key]) => !(isNews && key.startsWith(first)),
    );
    this.#said = { ...this.#said, lists: { ...Object.fromEntries(others), [page]: result } };
    this.#options.store.save(this.#key, this.#said);
  }

  async #tell(message: Message): Promise<void> {
    if (this.#aside === undefined) this.#waiting.push(message);
    else await this.#aside(message);
  }
}
