/** Endpoints of the server: `sockets` counts its sockets, `untrusted` is TLS with a certificate that nobody trusts. */
export const endpoints = ["json", "sse", "tls", "sockets", "untrusted"] as const;

export type Endpoint = (typeof endpoints)[number];

/** Path of an endpoint for one system; the server keeps a tally for each path. */
export function pathOf(name: string, endpoint: Endpoint): string {
  return `/${endpoint}/${name.replaceAll(" ", "")}`;
}
