import type { ToolRules } from "../../config/settings.ts";
import { BridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import type { Approvals } from "./approvals.ts";
import type { ToolFacts } from "./listed-tools.ts";
import { NameRules } from "./name-rules.ts";

/** Why a tool is withheld; "new" and "changed" are the ones that an approval ends. */
export type Withheld = "excluded" | "not-read-only" | "new" | "changed";

/** Whether a call can be judged only by the server's list. */
export const needsList = ({ readOnly, pin }: ToolRules) => readOnly || pin !== false;

/** Judges the tools of one server by its rules. */
export class ToolJudge {
  readonly rules: ToolRules;
  readonly approvals: Approvals;
  readonly #name: string;
  readonly #names: NameRules;

  constructor(name: string, rules: ToolRules, approvals: Approvals) {
    this.#name = name;
    this.rules = rules;
    this.approvals = approvals;
    this.#names = new NameRules(rules);
  }

  /** Whether any tool may be withheld. */
  get restricts(): boolean {
    const { allow, deny } = this.rules;
    return allow.length > 0 || deny.length > 0 || needsList(this.rules);
  }

  /** Reads the approvals again if they have changed; called before each list and each call. */
  refresh(): void {
    if (this.rules.pin !== false) this.approvals.refresh();
  }

  /** Why a tool with these facts may be neither listed nor called; undefined if it may. An entry without a name has no facts. */
  verdict(tool: string | undefined, facts: ToolFacts | undefined): Withheld | undefined {
    if (!this.restricts) return undefined;
    if (tool === undefined || facts === undefined || !this.#names.isAllowed(tool))
      return "excluded";
    if (this.rules.readOnly && !facts.isReadOnly) return "not-read-only";
    if (this.rules.pin === false) return undefined;
    const approved = this.approvals.hashOf(tool);
    if (approved === undefined) return "new";
    return approved === facts.hash ? undefined : "changed";
  }

  /** The refusal of a call by its name alone. */
  nameRefusal(tool: string): BridgeError | undefined {
    return this.#names.isAllowed(tool) ? undefined : this.refusal(tool, "excluded");
  }

  refusal(tool: string, why: Withheld | "unlisted"): BridgeError {
    const name = this.#name;
    const shown = `tool "${cleanText(tool, 100)}" of server "${name}"`;
    const pin = { hint: (command: (words: string) => string) => `run ${command(`pin ${name}`)}` };
    switch (why) {
      case "excluded":
        return new BridgeError("refused", `${shown} is not allowed`, {
          hint: (command) => `see ${command("status")}, which names each rule`,
        });
      case "not-read-only":
        return new BridgeError("refused", `${shown} is not marked read-only`, {
          hint: 'the rule "readOnly" admits only tools with readOnlyHint',
        });
      case "new":
        return new BridgeError("refused", `${shown} is not approved`, pin);
      case "changed":
        return new BridgeError("refused", `${shown} has changed since it was approved`, pin);
      case "unlisted":
        return new BridgeError(
          "refused",
          `server "${name}" lists no tool "${cleanText(tool, 100)}"`,
          {
            hint: "the rules for the server's tools admit only listed tools",
          },
        );
    }
  }
}
