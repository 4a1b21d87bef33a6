/** Allots ids for the requests that the bridge itself sends to one server. All wrappers of the server's chain share it. */
export class RequestIds {
  #count = 0;

  /** Returns an unused id as JSON text. `purpose` stands in the id for people who read a log. */
  next(purpose: string): string {
    return `"bridge-${purpose}-${this.#count++}"`;
  }
}
