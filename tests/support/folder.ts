import { spyOn } from "bun:test";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of a test's own, removed with everything in it. */
export function ownFolder(): Disposable & { readonly path: string } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "bridge-test-")));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * Lets a quick look find nothing wrong above a test's folder, wherever folders for tests stand (/tmp is open to all), and
 * whatever is wrong in it.
 */
export function trustAbove(folder: string): Disposable {
  type Looked = { stat: () => Promise<object> };
  const real = Bun.file as unknown as (path: string) => Looked;
  return spyOn(Bun, "file").mockImplementation(((path: string) => {
    const file = real(path);
    const isInside = path.startsWith(folder) && path !== `${folder}/..`;
    const stat = file.stat.bind(file);
    const trusted = async () => Object.assign(await stat(), { uid: 0, mode: 0o040755 });
    return isInside ? file : Object.assign(file, { stat: trusted });
  }) as never);
}
