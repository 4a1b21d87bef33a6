/** A refused request. */
export interface Refusal {
  /** 401 or 403. */
  readonly status: number;
  readonly wwwAuthenticate: string | null;
  /** The `DPoP-Nonce` header, if the response has one (RFC 9449 9). */
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
   * The result of headers() if it is available without waiting, else undefined. Returns the same object until a header
   * changes, so that the transport can reuse its merged header fields (saves 3 of 53 microseconds of a call); not
   * awaiting headers() saves another 1.2 (both measured in process).
   */
  known?(): Readonly<Record<string, string>> | undefined;
  /** Called after a 401 or 403. Resolves to true if the request may succeed with new headers(); throws the BridgeError to report otherwise. */
  refused(response: Refusal, signal: AbortSignal): Promise<boolean>;
  /** Called when the server accepted a request with these headers: a later refusal of them has a new cause. */
  accepted?(sent: Readonly<Record<string, string>>): void;
}
