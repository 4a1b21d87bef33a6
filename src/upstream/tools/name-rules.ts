import type { ToolRules } from "../../config/settings.ts";
import { foldText, Glob, maxMatchedLength } from "../../wire/glob.ts";

/** `tools.allow` and `tools.deny` of one server; deny wins. */
export class NameRules {
  readonly #allow: readonly (readonly Glob[])[];
  readonly #deny: readonly Glob[];
  readonly #foldedDeny: readonly Glob[];

  constructor({ allow, deny }: Pick<ToolRules, "allow" | "deny">) {
    this.#allow = allow.map((globs) => globs.map((glob) => new Glob(glob)));
    this.#deny = deny.map((glob) => new Glob(glob));
    this.#foldedDeny = deny.map((glob) => new Glob(foldText(glob)));
  }

  /** Whether a tool of this name may be listed and called. */
  isAllowed(name: string): boolean {
    if (name.length > maxMatchedLength) return false;
    const matchesOneOf = (globs: readonly Glob[], text = name) =>
      globs.some((glob) => glob.matches(text));
    // A lenient server may accept a call in other letters than those of its list.
    if (matchesOneOf(this.#deny) || matchesOneOf(this.#foldedDeny, foldText(name))) return false;
    return this.#allow.every((globs) => matchesOneOf(globs));
  }
}
