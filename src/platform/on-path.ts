import { isAbsolute } from "./path.ts";

/** The program of that name: an absolute path, or a bare name in an absolute entry of `path`; never of the current directory. */
export function programOnPath(name: string, path: string | undefined): string | undefined {
  if (isAbsolute(name)) return Bun.which(name) ?? undefined;
  if (/[/\\]/.test(name)) return undefined;
  const separator = process.platform === "win32" ? ";" : ":";
  const folders = (path ?? "").split(separator).filter((folder) => isAbsolute(folder));
  return Bun.which(name, { PATH: folders.join(separator) }) ?? undefined;
}
