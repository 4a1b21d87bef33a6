// Names of tools and prompts in a combined run: `SERVER__name`.

/** Longest name that all clients accept. */
const maxLength = 64;
/** Digits of the hash in a name, and those where two names have one hash. */
const hashLength = 8;
const longHashLength = 32;
/** The beginning of a name that is followed by a hash. */
const beginningLength = maxLength - hashLength - 1;
const hashEnd = /_[0-9a-f]{8}$/;
/** Names that are remembered of one server: a server may list without end. */
const maxNames = 10_000;

/** A server of the combined run; its `name` is unique. */
interface Named {
  readonly name: string;
}

/** The server that a name belongs to, its own name there, and the bytes of that name as JSON text. */
export interface NameRoute<M extends Named> {
  readonly member: M;
  readonly name: string;
  readonly raw: Uint8Array;
}

const encoder = new TextEncoder();

/** The names that the client sees, each with its server. One table for tools, one for prompts. */
export class NameTable<M extends Named> {
  /** By the JSON text of the shown name, since a call's name is compared as the client wrote it. */
  readonly #routes = new Map<string, NameRoute<M>>();
  readonly #namesOf = new Map<M, Set<string>>();
  readonly #members: readonly M[];

  constructor(members: readonly M[]) {
    this.#members = members;
  }

  /** Records a name of the server (JSON text of a string) and returns the JSON text of the shown name. */
  add(member: M, raw: string): string {
    const name = JSON.parse(raw) as string;
    const shown = JSON.stringify(this.#freeName(member, name));
    const names = this.#namesOf.get(member) ?? new Set();
    this.#namesOf.set(member, names);
    // Added again at the end: the names that were listed last are the ones that are kept.
    names.delete(shown);
    names.add(shown);
    this.#routes.set(shown, { member, name, raw: encoder.encode(raw) });
    if (names.size > maxNames) {
      const [oldest] = names;
      names.delete(oldest!);
      this.#routes.delete(oldest!);
    }
    return shown;
  }

  /** The route of a shown name, as JSON text. Another spelling of the text, with escapes, is found, too. */
  find(shown: string): NameRoute<M> | undefined {
    const route = this.#routes.get(shown);
    if (route !== undefined || !shown.includes("\\")) return route;
    return this.#routes.get(JSON.stringify(JSON.parse(shown)));
  }

  /** The servers that may list a shown name. */
  candidates(shown: string): M[] {
    const owner = this.#ownerOf(shown);
    return this.#members.filter(
      (member) =>
        member === owner ||
        // The name of a server whose own name is too long ends within that.
        (member.name.length > beginningLength - 2 &&
          shown.startsWith(`${member.name}__`.slice(0, beginningLength))),
    );
  }

  /** The route of a name that no server has listed; undefined if no name of a server is shown like this. */
  unlisted(shown: string): NameRoute<M> | undefined {
    const member = this.#ownerOf(shown);
    if (member === undefined) return undefined;
    const name = shown.slice(member.name.length + 2);
    if (this.nameOf(member, name) !== shown) return undefined;
    return { member, name, raw: encoder.encode(JSON.stringify(name)) };
  }

  /**
   * The name that the client sees for a name of the server, whatever the servers have listed. It begins with the name of
   * no other server that has a longer name: a tool `b__c` of server `a` must not get the name of a tool of server `a__b`.
   */
  nameOf(member: M, name: string): string {
    const full = `${member.name}__${name}`;
    // A name that looks like one with a hash could be one.
    const mayBeHashed = hashEnd.test(full) && (full.length === maxLength || this.#isPrefix(member));
    if (full.length <= maxLength && !mayBeHashed && !this.#isForeign(member, full)) return full;
    const shortened = withHash(member, name, full);
    if (!this.#isForeign(member, shortened)) return shortened;
    const words = name.split(/_+/).filter((word) => word !== "");
    return withHash(member, name, `${member.name}__${words.join("-") || "tool"}`);
  }

  /** The name of nameOf(), or one with a longer hash if another name has it. */
  #freeName(member: M, name: string): string {
    const shown = this.nameOf(member, name);
    const other = this.#routes.get(JSON.stringify(shown));
    if (other === undefined || (other.member === member && other.name === name)) return shown;
    return withHash(member, name, `${member.name}__${name}`, longHashLength);
  }

  /** The server with the longest name among those whose name the shown name begins with. */
  #ownerOf(shown: string): M | undefined {
    return this.#members
      .filter(({ name }) => shown.startsWith(`${name}__`))
      .reduce<M | undefined>(
        (longest, each) => (each.name.length > (longest?.name.length ?? 0) ? each : longest),
        undefined,
      );
  }

  /** Whether a name begins with the longer name of another server. */
  #isForeign({ name: server }: M, shown: string): boolean {
    return this.#members.some(
      ({ name }) => name.length > server.length && shown.startsWith(`${name}__`),
    );
  }

  /** Whether the name of another server begins with the name of this one. */
  #isPrefix({ name: server }: M): boolean {
    return this.#members.some(({ name }) => name !== server && name.startsWith(`${server}_`));
  }
}

/** The beginning of a name, and the hash of the server and its own name. */
function withHash({ name: server }: Named, name: string, full: string, digits = hashLength) {
  const hash = Bun.CryptoHasher.hash("sha256", JSON.stringify([server, name]), "hex");
  // A cut may leave half of a surrogate pair. A "_" in its place would make "__" with the one before the hash, which ends the name of a server.
  const beginning = full.slice(0, maxLength - digits - 1).replace(/[\ud800-\udbff]$/, "-");
  return `${beginning}_${hash.slice(0, digits)}`;
}
