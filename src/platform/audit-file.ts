import { endLine, openToAppend } from "./append-file.ts";
import { checkParents } from "./file-permissions.ts";
import { fs } from "./fs.ts";
import { basename, dirname, join } from "./path.ts";
import { runId } from "./run-id.ts";

/** `checkedForMs`: time after which an open file is looked at again, since it may be full, deleted, or cut by a full disk. */
const usual = { rotateAtBytes: 10 * 1024 * 1024, checkedForMs: 50 };

/** Files that this process has renamed. */
let rotations = 0;

/**
 * A file of lines that several processes append to, without a lock: each line is one write to a file opened with
 * O_APPEND, which Linux and macOS do not interleave on a local file system. At 10 MB the file is renamed, and a new one
 * is begun; a process that still has the renamed file open appends its last lines there, so that none is lost.
 */
export class AuditFile {
  readonly #path: string;
  readonly #limits: typeof usual;
  #fd: number | undefined;
  #checkedAt = 0;

  constructor(path: string, limits = usual) {
    this.#path = path;
    this.#limits = limits;
  }

  /** Writes one line, given without its line feed. Throws Error if the whole line cannot be written. */
  append(line: string): void {
    const now = performance.now();
    if (this.#fd === undefined || now - this.#checkedAt >= this.#limits.checkedForMs) {
      this.#check();
      this.#checkedAt = now;
    }
    const text = `${line}\n`;
    try {
      if (fs().writeSync(this.#fd!, text) === Buffer.byteLength(text)) return;
    } catch (error) {
      this.#close();
      throw error;
    }
    this.#close();
    throw new Error("the disk is full");
  }

  /** Opens the file that stands at the path and has room, unless it is open. */
  #check(): void {
    if (this.#fd !== undefined) {
      const { nlink, size } = fs().fstatSync(this.#fd);
      if (nlink === 0 || size >= this.#limits.rotateAtBytes) this.#close();
      else endLine(this.#fd);
    }
    if (this.#fd !== undefined) return;
    const opened = this.#openAtPath();
    this.#fd = opened.fd;
    endLine(opened.fd);
    if (opened.sizeBytes < this.#limits.rotateAtBytes || !this.#rotate()) return;
    this.#close();
    this.#fd = this.#openAtPath().fd;
  }

  #openAtPath(): { readonly fd: number; readonly sizeBytes: number } {
    const opened = openToAppend(this.#path, { isRead: true });
    try {
      checkParents(join(fs().realpathSync(dirname(this.#path)), basename(this.#path)), "home");
      return opened;
    } catch (error) {
      fs().closeSync(opened.fd);
      throw error;
    }
  }

  /** Renames the full file; false if that fails. The new name is unused, so that no older file is replaced. */
  #rotate(): boolean {
    const time = new Date().toISOString().replaceAll(":", "-");
    const name = `${this.#path}.${time}.${runId()}-${++rotations}`;
    try {
      fs().renameSync(this.#path, name);
      return true;
    } catch {
      // The folder cannot be changed, or Windows refuses because the file is open: the file grows on.
      return false;
    }
  }

  #close(): void {
    fs().closeSync(this.#fd!);
    this.#fd = undefined;
  }
}
