/** Cuts `bytes` into chunks that end at the positions `at`, modulo the length. */
export function abandon(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  let from = 0;
  const chunks = [...places, bytes.length].map((to) => {
    // A copy, as sockets and pipes give, because a parser may keep or change its input.
    const chunk = bytes.slice(from, to);
    from = to;
    return chunk;
  });
  return chunks.filter((chunk) => chunk.length > 0);
}
