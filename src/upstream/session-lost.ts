import { BridgeError } from "../wire/errors.ts";

/** What the two sides agreed on; the transport writes the id, the session the version. */
export interface Session {
  id: string | undefined;
  version: string | undefined;
}

/** The session is unknown to the server: nothing was done. */
export class SessionLost extends BridgeError {
  /** The id that was refused. */
  readonly id: string;

  /** `status`: by which the server said so. */
  constructor(name: string, id: string, status = 404) {
    super("server-not-found", `"${name}" does not know the session any more`, {
      hint: "restart the client",
      notSent: true,
      status,
    });
    this.id = id;
  }
}
