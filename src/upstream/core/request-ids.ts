/** Allots the ids of the requests that the bridge itself sends to one server; one for all wrappers of its chain. */
export class RequestIds {
  #count = 0;

  /** JSON text of an id that no other request of the bridge's has at this server; `purpose` is for who reads a log. */
  next(purpose: string): string {
    return `"bridge-${purpose}-${this.#count++}"`;
  }
}
