/** `node:fs`, from its first use on: it costs a start a millisecond and 2 MB, and most starts need nothing of it. */
export const fs = () => process.getBuiltinModule("node:fs");
