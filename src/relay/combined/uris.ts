// Resource URIs in a combined run. They stay as they are, unless two servers have the same one.

interface Named {
  readonly name: string;
}

export interface UriRoute<M extends Named> {
  readonly member: M;
  /** The URI as the server knows it. */
  readonly uri: string;
}

/** URIs that are remembered of one server: it may mention URIs without end. */
const maxUris = 10_000;

/** Longer templates match nothing: finding their braces takes time that grows with the square of the length. */
const maxTemplateLength = 2048;

/** Which server listed or mentioned a URI. Templates are treated as URIs. */
export class UriTable<M extends Named> {
  readonly #members: readonly M[];
  /** The servers of a URI; the first is the one whose plain URI the client may have seen. */
  readonly #owners = new Map<string, M[]>();
  readonly #urisOf = new Map<M, Set<string>>();

  constructor(members: readonly M[]) {
    this.#members = members;
  }

  add(member: M, uri: string): void {
    const uris = this.#urisOf.get(member) ?? new Set();
    this.#urisOf.set(member, uris);
    if (uris.delete(uri)) {
      uris.add(uri);
      return;
    }
    uris.add(uri);
    this.#owners.set(uri, [...(this.#owners.get(uri) ?? []), member]);
    if (uris.size > maxUris) this.#forget(member, uris);
  }

  #forget(member: M, uris: Set<string>): void {
    const [oldest] = uris;
    uris.delete(oldest!);
    const others = this.#owners.get(oldest!)!.filter((other) => other !== member);
    if (others.length === 0) this.#owners.delete(oldest!);
    else this.#owners.set(oldest!, others);
  }

  /** The URI as the client sees it: with the server's name if another server has the same URI. */
  shown(member: M, uri: string): string {
    const isShared = this.#owners.get(uri)?.some((other) => other !== member) === true;
    return isShared ? `${member.name}+${uri}` : uri;
  }

  /** The server of a URI of the client; undefined if no server listed or mentioned it. */
  find(shown: string): UriRoute<M> | undefined {
    const [owner] = this.#owners.get(shown) ?? [];
    return owner === undefined ? this.prefixed(shown) : { member: owner, uri: shown };
  }

  /** The server that a URI names before its scheme. */
  prefixed(shown: string): UriRoute<M> | undefined {
    const plus = shown.indexOf("+");
    const name = shown.slice(0, Math.max(0, plus));
    const uri = shown.slice(plus + 1);
    const member = this.#members.find((each) => each.name === name);
    // Only what this server listed: `git+ssh:` may be a scheme as a whole, with a server named "git".
    if (member === undefined) return undefined;
    return this.#knows(member, uri) ? { member, uri } : undefined;
  }

  /** Servers with a template that a URI may come from. */
  byTemplate(uri: string): M[] {
    return this.#members.filter((member) => this.#hasTemplateOf(member, uri));
  }

  #knows(member: M, uri: string): boolean {
    return this.#urisOf.get(member)?.has(uri) === true || this.#hasTemplateOf(member, uri);
  }

  #hasTemplateOf(member: M, uri: string): boolean {
    return [...(this.#urisOf.get(member) ?? [])].some((each) => matches(each, uri));
  }
}

/** Whether a URI may come from a template (RFC 6570): its literal parts stand in the URI in their order. */
function matches(template: string, uri: string): boolean {
  if (template.length > maxTemplateLength || !template.includes("{")) return false;
  const [first = "", ...rest] = template.split(/\{[^}]*\}/);
  if (!uri.startsWith(first) || first === "") return false;
  let at = first.length;
  for (const part of rest) {
    const found = uri.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}
