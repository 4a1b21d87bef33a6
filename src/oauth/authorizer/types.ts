/** A refused request. */
export interface Refusal {
  /** 401 or 403. */
  readonly status: number;
  readonly wwwAuthenticate: string | null;
  /** The `DPoP-Nonce` header, where it came (RFC 9449 9). */
  readonly dpopNonce?: string | null;
  /** The body, bounded by the caller. */
  readonly body: string;
  /** The result of headers() that the refused request carried. */
  readonly sent: Readonly<Record<string, string>>;
}

/** Adds Authorization and configured headers to the requests to one server. */
export interface Authorizer {
  /** Headers to add to the next request to the server. Throws BridgeError. */
  headers(
    request: { readonly method: string; readonly url: URL },
    signal: AbortSignal,
  ): Promise<Record<string, string>>;
  /**
   * The value that headers() would resolve to, where nothing has to be waited for; undefined elsewhere. It is the same
   * object until a header changes, so that the transport keeps its header fields (3 of 53 microseconds of a call);
   * not to await headers() saves another 1.2 (both measured in process).
   */
  known?(): Readonly<Record<string, string>> | undefined;
  /** True when repeating once with fresh headers() may help; throws the BridgeError to show otherwise. */
  refused(response: Refusal, signal: AbortSignal): Promise<boolean>;
  /** Called when the server accepted a request with these headers: a later refusal is a new one. */
  accepted?(sent: Readonly<Record<string, string>>): void;
}
