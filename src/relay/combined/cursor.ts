// The cursor of a merged list: where each server's list goes on.

/** The servers' own cursors, by server name. A server without one has no further page. */
export type Cursors = Readonly<Record<string, string>>;

export function encodeCursor(cursors: Cursors): string {
  return Buffer.from(JSON.stringify(cursors)).toString("base64url");
}

/** Reads a cursor of the client; undefined if it is none that `encodeCursor` made. */
export function decodeCursor(cursor: unknown): Cursors | undefined {
  if (typeof cursor !== "string") return undefined;
  try {
    const cursors: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (typeof cursors !== "object" || cursors === null || Array.isArray(cursors)) return undefined;
    const isSound = Object.values(cursors).every((each) => typeof each === "string");
    return isSound ? (cursors as Cursors) : undefined;
  } catch {
    return undefined;
  }
}
