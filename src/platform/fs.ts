/** Stand-in for the import of `node:fs`, which costs a start a millisecond and 2 MB: loaded at its first use, which most starts do not come to. */
export const fs = () => process.getBuiltinModule("node:fs");
