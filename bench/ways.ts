/** How the server can be talked to: `crowd` has its sockets counted, `stranger` is TLS with a certificate that nobody trusts. */
export const methods = ["json", "sse", "tls", "crowd", "stranger"] as const;

export type Way = (typeof methods)[number];

/** Where the server is asked by a system, and notes what it does. */
export function pathOf(name: string, way: Way): string {
  return `/${way}/${name.replaceAll(" ", "")}`;
}
