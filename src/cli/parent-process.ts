import { readFileSync } from "node:fs";

const shells = /^(?:ba|da|z|k|a)?sh$/;

/**
 * The process that asked for this one: the parent, or a shell's parent where one stands between. Undefined
 * where it cannot be told.
 */
export function askingProcess(): number {
  const { ppid } = process;
  try {
    // pid (name) state ppid ...: the name may hold spaces and parentheses.
    const stat = readFileSync(`/proc/${ppid}/stat`, "utf8");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const next = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    return shells.test(name) && Number.isInteger(next) ? next : ppid;
  } catch {
    return ppid;
  }
}
