/** An invalid configuration: the key path and the expected value, never the actual value. */
export class ConfigProblem extends Error {
  readonly path: readonly (string | number)[];

  constructor(path: readonly (string | number)[], expected: string) {
    super(expected);
    this.path = path;
  }
}
