import type { Authorizer } from "../../oauth/authorizer/types.ts";

type Fields = Readonly<Record<string, string>>;

/** An authorizer that reports when the server has accepted another credential than the refused one. */
export class CredentialWatch implements Authorizer {
  readonly #authorizer: Authorizer;
  /** Header fields of the last request. */
  #last: Fields = {};
  readonly #waiting = new Set<{
    readonly refused: string;
    readonly done: () => void;
  }>();

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  async headers(...request: Parameters<Authorizer["headers"]>): Promise<Record<string, string>> {
    const fields = await this.#authorizer.headers(...request);
    this.#last = fields;
    return fields;
  }

  known(): Fields | undefined {
    const fields = this.#authorizer.known?.();
    if (fields !== undefined) this.#last = fields;
    return fields;
  }

  refused(...refusal: Parameters<Authorizer["refused"]>): ReturnType<Authorizer["refused"]> {
    return this.#authorizer.refused(...refusal);
  }

  accepted(sent: Fields): void {
    this.#authorizer.accepted?.(sent);
    for (const one of this.#waiting) if (credentialIn(sent) !== one.refused) one.done();
  }

  /** Resolves once the server has accepted another credential than that of the last request; rejects with the signal's reason. */
  async another(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const one = { refused: credentialIn(this.#last), done: resolve };
    const abort = () => reject(signal.reason);
    this.#waiting.add(one);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await promise;
    } finally {
      this.#waiting.delete(one);
      signal.removeEventListener("abort", abort);
    }
  }
}

/** Identifies a credential, without its DPoP proof, which is new in each request. */
function credentialIn(fields: Fields): string {
  return fields["authorization"] ?? JSON.stringify(fields);
}
