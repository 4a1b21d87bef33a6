// The platforms of a release, with the names that npm, Python and Debian have for them.

export interface Platform {
  /** Our name for the platform, the argument of `build.sh --target`. */
  readonly name: string;
  /** The npm package that contains Bun for the platform. */
  readonly runtime: string;
  /** The values of `os`, `cpu` and `libc` in package.json. */
  readonly os: "linux" | "darwin" | "win32";
  readonly cpu: "x64" | "arm64";
  readonly libc?: "glibc" | "musl";
  /** Platform tags of the wheel, joined by dots (PEP 425, PEP 600, PEP 656). */
  readonly wheel: string;
  /** Debian's architecture; undefined if the platform gets no .deb and no image. */
  readonly debian?: "amd64" | "arm64";
}

export const platforms: readonly Platform[] = [
  {
    name: "linux-x64",
    runtime: "@oven/bun-linux-x64",
    os: "linux",
    cpu: "x64",
    libc: "glibc",
    wheel: "manylinux_2_17_x86_64.manylinux2014_x86_64",
    debian: "amd64",
  },
  {
    name: "linux-arm64",
    runtime: "@oven/bun-linux-aarch64",
    os: "linux",
    cpu: "arm64",
    libc: "glibc",
    wheel: "manylinux_2_17_aarch64.manylinux2014_aarch64",
    debian: "arm64",
  },
  {
    name: "linux-x64-musl",
    runtime: "@oven/bun-linux-x64-musl",
    os: "linux",
    cpu: "x64",
    libc: "musl",
    wheel: "musllinux_1_2_x86_64",
  },
  {
    name: "linux-arm64-musl",
    runtime: "@oven/bun-linux-aarch64-musl",
    os: "linux",
    cpu: "arm64",
    libc: "musl",
    wheel: "musllinux_1_2_aarch64",
  },
  {
    name: "darwin-arm64",
    runtime: "@oven/bun-darwin-aarch64",
    os: "darwin",
    cpu: "arm64",
    wheel: "macosx_13_0_arm64",
  },
  {
    name: "darwin-x64",
    runtime: "@oven/bun-darwin-x64",
    os: "darwin",
    cpu: "x64",
    wheel: "macosx_13_0_x86_64",
  },
  {
    name: "windows-x64",
    runtime: "@oven/bun-windows-x64",
    os: "win32",
    cpu: "x64",
    wheel: "win_amd64",
  },
  {
    name: "windows-arm64",
    runtime: "@oven/bun-windows-aarch64",
    os: "win32",
    cpu: "arm64",
    wheel: "win_arm64",
  },
];

/** File name of a platform's executable. */
export const executableName = ({ os }: Platform): string =>
  os === "win32" ? "codex-mcp-http-bridge.exe" : "codex-mcp-http-bridge";
