/**
 * `Bun.file` whose look at anything above `folder` finds it root's and closed to others. Its own module, without the test
 * runner's: a child process takes it, too.
 */
export function trustingFile(folder: string): typeof Bun.file {
  type Looked = { stat: () => Promise<object> };
  const real = Bun.file as unknown as (path: string) => Looked;
  return ((path: string) => {
    const file = real(path);
    const isInside = path.startsWith(folder) && path !== `${folder}/..`;
    const stat = file.stat.bind(file);
    const trusted = async () => Object.assign(await stat(), { uid: 0, mode: 0o040755 });
    return isInside ? file : Object.assign(file, { stat: trusted });
  }) as never;
}
