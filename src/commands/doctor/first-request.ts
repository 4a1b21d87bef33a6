import type { ServerSettings } from "../../config/settings.ts";
import type { Http } from "../../http/client.ts";
import type { ChosenAuthorizer } from "../../oauth/authorizer/select.ts";
import { readErrorText } from "../../upstream/transport/response-body.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { program } from "../../wire/program-facts.ts";
import { initializeParams } from "../test/mcp-child.ts";

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":${initializeParams(program.version)}}`;
const answerMs = 15_000;
const fields = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};

/** The server's answer to the first request. */
export interface FirstAnswer {
  readonly response: Response;
  /** The body of an answer that is no event stream; bounded. */
  readonly text: string;
  /** The headers of the credential that the request carried. */
  readonly sent: Readonly<Record<string, string>>;
  /** Why the request carried no credential although there is one: its token could not be renewed. */
  readonly credentialError: BridgeError | undefined;
  /** When the response's head came, in ms since 1970, and how long it took. */
  readonly at: number;
  readonly ms: number;
}

/** The request that `run` makes first: initialize, with the configured credential. It is sent once, when somebody asks for it. */
export class FirstRequest {
  readonly #settings: ServerSettings;
  readonly #http: Http;
  readonly #authorizer: ChosenAuthorizer;
  #outcome: Promise<FirstAnswer | BridgeError> | undefined;

  constructor(settings: ServerSettings, http: Http, authorizer: ChosenAuthorizer) {
    this.#settings = settings;
    this.#http = http;
    this.#authorizer = authorizer;
  }

  /** The answer, or the failure for which none came. */
  outcome(): Promise<FirstAnswer | BridgeError> {
    this.#outcome ??= this.#send().catch(asBridgeError);
    return this.#outcome;
  }

  async #send(): Promise<FirstAnswer> {
    const { url, name } = this.#settings;
    const late = new BridgeError(
      "timeout",
      `"${name}" did not answer within ${answerMs / 1000} s`,
      {
        hint: "the connection stands, but no answer comes: the server hangs, or something between holds the request back",
      },
    );
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(late), answerMs);
    try {
      const { signal } = stop;
      let credentialError: BridgeError | undefined;
      const sent = await this.#authorizer
        .headers({ method: "POST", url }, signal)
        .catch((error) => {
          if (signal.aborted) throw error;
          credentialError = asBridgeError(error);
          return {};
        });
      const startedAt = performance.now();
      const headers = { ...fields, ...sent };
      const response = await this.#http({
        ...{ method: "POST", url, headers, body: initialize, signal },
        nonIdempotent: () => false,
      });
      const facts = {
        response,
        sent,
        credentialError,
        at: Date.now(),
        ms: performance.now() - startedAt,
      };
      const isStream = (response.headers.get("content-type") ?? "").startsWith("text/event-stream");
      if (!isStream) return { ...facts, text: await readErrorText(response) };
      await response.body?.cancel().catch(() => undefined);
      return { ...facts, text: "" };
    } finally {
      clearTimeout(timer);
      void this.#end();
    }
  }

  /** Ends the session that the request began, if any. */
  async #end(): Promise<void> {
    const outcome = await this.outcome();
    if (outcome instanceof BridgeError) return;
    const id = outcome.response.headers.get("mcp-session-id");
    if (id === null || !this.#settings.endSession) return;
    const headers = { ...outcome.sent, "mcp-session-id": id };
    const { url } = this.#settings;
    const signal = AbortSignal.timeout(answerMs);
    const ended = await this.#http({ method: "DELETE", url, headers, signal }).catch(
      () => undefined,
    );
    await ended?.body?.cancel().catch(() => undefined);
  }
}
