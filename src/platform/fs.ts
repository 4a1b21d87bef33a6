/** Loads `node:fs` at the first use: an import would add 1 ms and 2 MB to every start, and most starts do not need it. */
export const fs = () => process.getBuiltinModule("node:fs");
