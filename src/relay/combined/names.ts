// Names of tools and prompts in a combined run: `SERVER__name`.

/** Longest name that all clients accept. */
const maxLength = 64;
const hashLength = 8;
/** Names that are remembered of one server: a server may list without end. */
const maxNames = 10_000;

/** A server of the combined run; its `name` is unique. */
interface Named {
  readonly name: string;
}

/** The server that a name belongs to, and the bytes of its own name there as JSON text. */
export interface NameRoute<M extends Named> {
  readonly member: M;
  readonly raw: Uint8Array;
}

const encoder = new TextEncoder();

/** The names that the client sees, each with its server. One table for tools, one for prompts. */
export class NameTable<M extends Named> {
  /** By the JSON text of the shown name, since a call's name is compared as the client wrote it. */
  readonly #routes = new Map<string, NameRoute<M>>();
  readonly #namesOf = new Map<M, Set<string>>();
  readonly #serverNames: readonly string[];

  constructor(members: readonly M[]) {
    this.#serverNames = members.map(({ name }) => name);
  }

  /** Records a name of the server (JSON text of a string) and returns the JSON text of the shown name. */
  add(member: M, raw: string): string {
    const shown = JSON.stringify(this.nameOf(member, JSON.parse(raw) as string));
    const names = this.#namesOf.get(member) ?? new Set();
    this.#namesOf.set(member, names);
    // Added again at the end: the names that were listed last are the ones that are kept.
    names.delete(shown);
    names.add(shown);
    this.#routes.set(shown, { member, raw: encoder.encode(raw) });
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

  /** The name that the client sees for a name of the server. */
  nameOf({ name: server }: M, name: string): string {
    const full = `${server}__${name}`;
    // A tool `b__c` of server `a` and a tool `c` of server `a__b` would get one name. Only the names of the server with
    // the shorter name get a hash, whether or not the other server has listed, so that names never depend on time.
    const isAmbiguous = this.#serverNames.some(
      (other) => other.length > server.length && full.startsWith(`${other}__`),
    );
    if (!isAmbiguous && full.length <= maxLength) return full;
    const hash = Bun.CryptoHasher.hash("sha256", JSON.stringify([server, name]), "hex");
    const beginning = [...full].slice(0, maxLength - hashLength - 1).join("");
    return `${beginning}_${hash.slice(0, hashLength)}`;
  }
}

/** Whether a shown name may belong to this server: a shortened name keeps only its beginning. */
export function mayBelongTo(server: string, shown: string): boolean {
  return shown.startsWith(`${server}__`.slice(0, maxLength - hashLength - 1));
}
