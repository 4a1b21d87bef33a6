// The tool that tells the model why a server, or a part of its tools, is not there, and how its user gets it back.

/** Name of the problem tool of a server's own run; `isTaken`: the server has a tool of that name. A combined run prefixes "problem" itself. */
export function problemToolName(server: string, isTaken: (name: string) => boolean): string {
  // Clients refuse names of more than 64 characters.
  const name = `${server.slice(0, 50)}_problem`;
  return isTaken(name) ? `${name}_here` : name;
}

/** The tool as an entry of tools/list. */
export function problemTool(name: string, server: string, description: string): object {
  return {
    name,
    title: `What is wrong with ${server}`,
    description,
    inputSchema: { type: "object", properties: {}, additionalProperties: false },
    // Codex asks its user before it calls a tool that is not marked read-only, and `codex exec` refuses it.
    annotations: { readOnlyHint: true, openWorldHint: true },
  };
}
