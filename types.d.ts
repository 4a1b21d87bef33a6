// Types that belong to no file: what packages refer to and do not bring, and the environment's names.

// toml-eslint-parser: its side for ESLint, which nobody here uses.
declare module "eslint" {
  export namespace SourceCode {
    type VisitorKeys = Readonly<Record<string, readonly string[]>>;
  }
}

// @modelcontextprotocol/sdk: the browser's name for what Bun has under its own.
type HeadersInit = Bun.HeadersInit;

// Text files that the executable embeds.
declare module "*LICENSE" {
  const text: string;
  export default text;
}
declare module "*THIRD-PARTY-LICENSES" {
  const text: string;
  export default text;
}

// What is read from process.env by name; the program itself reads the rest through `Environment` (src/platform/paths.ts).
declare module "bun" {
  type OwnVariable =
    | "BRIDGE_BIN"
    | "BUN_CONFIG_VERBOSE_FETCH"
    | "CONFORMANCE_DIRECT"
    | "DBUS_SESSION_BUS_ADDRESS"
    | "EARLIER_BIN"
    | "FAULT_LOG"
    | "HOME"
    | "KILL_ROUNDS"
    | "MCP_CONFORMANCE_CONTEXT"
    | "MCP_CONFORMANCE_SCENARIO"
    | "NODE_TLS_REJECT_UNAUTHORIZED"
    | "PATH"
    | "PROPERTY_RUNS"
    | "PROPERTY_SEED"
    | "REFRESH_ROUNDS"
    | "RELEASE_EFFORT"
    | "RELEASE_MINISIGN_KEY"
    | "RELEASE_MINISIGN_PUBLIC_KEY"
    | "SOAK_CALLS"
    | "SOAK_SEED"
    | "TMPDIR"
    | "TORTURE"
    | "TORTURE_AT"
    | "TORTURE_COUNT"
    | "TORTURE_LOG"
    | "TORTURE_MOST"
    | "TORTURE_VICTIM"
    | "T_LOG"
    | "WINE_FOLDER";
  interface Env extends Partial<Record<OwnVariable, string | undefined>> {}
}
