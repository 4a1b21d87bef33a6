import type { RunSignIn } from "../../oauth/sign-in/run-sign-in.ts";
import { cacheFile } from "../../platform/paths.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import type { Message } from "../../wire/message.ts";
import { hasCachedTool } from "../catalog/entry.ts";
import * as words from "./messages.ts";

const firstName = "sign_in";

const holds = ({ buffer, byteOffset, length }: Uint8Array, name: string) =>
  Buffer.from(buffer, byteOffset, length).includes(JSON.stringify(name));

interface ToolOptions extends words.SignInFacts {
  /** Host of the server's URL. */
  readonly host: string;
  readonly signIns: Pick<RunSignIn, "context">;
}

/** The one tool of a server that nobody is signed in to: offered until the client has the server's own list. */
export class SignInTool {
  readonly #options: ToolOptions;
  /** Name under which the tool was offered to the client; undefined if it was not, or if the server has that tool. */
  #offered: string | undefined;
  /** The tools/list request that was last answered with the tool. */
  list: Message | undefined;
  /** Whether the server's own list may contain a tool named `sign_in`. */
  #isTaken = false;

  constructor(options: ToolOptions) {
    this.#options = options;
  }

  isCalledBy(call: Message): boolean {
    return this.#offered !== undefined && call.name === this.#offered;
  }

  /** Reads the server's response to tools/list. */
  learn({ head, bytes }: Message): void {
    if (head.kind !== "response" || head.isError === true) return;
    // The text may occur outside a tool's name: then the alternative name is used needlessly, which does no harm.
    this.#isTaken ||= holds(bytes, firstName);
    // A model may still have the old list: its call is answered, unless the name is the server's now.
    if (this.#offered !== undefined && holds(bytes, this.#offered)) this.#offered = undefined;
  }

  /** The tool as an entry of tools/list; under another name if the server is known to have a `sign_in`. */
  async offer(list: Message): Promise<object> {
    this.list = list;
    const { name, signIns } = this.#options;
    const { server, log } = await signIns.context();
    const cache = new ServerCache(cacheFile(server.state), server.url, log);
    const isTaken = this.#isTaken || hasCachedTool(cache, firstName);
    this.#offered = isTaken ? `${firstName}_to_${name}` : firstName;
    return words.signInTool(this.#offered, this.#options);
  }
}
