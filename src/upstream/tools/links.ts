import type { ServerSettings, ToolRules } from "../../config/settings.ts";
import type { Log } from "../../platform/log.ts";
import type { CommandLine } from "../../wire/errors.ts";
import type { RequestIds } from "../core/request-ids.ts";
import type { ClientFacts, Upstream } from "../core/types.ts";
import { Approvals } from "./approvals.ts";
import { CallGuard } from "./call-guard.ts";
import { needsList, ToolJudge } from "./judge.ts";
import { ToolPolicy } from "./policy.ts";

interface ToolLinksOptions {
  readonly log: Log;
  readonly ids: RequestIds;
  readonly client: ClientFacts;
  readonly commandLine: CommandLine;
}

/** The links of a server's chain that keep the rules for its tools; they share one judge. */
export class ToolLinks {
  readonly #settings: ServerSettings;
  readonly #judge: ToolJudge;
  readonly #options: ToolLinksOptions;

  constructor(settings: ServerSettings, rules: ToolRules, options: ToolLinksOptions) {
    this.#settings = settings;
    this.#options = options;
    const { name, state, url } = settings;
    this.#judge = new ToolJudge(name, rules, new Approvals(state, url.origin));
  }

  /** The link above the catalog. */
  policy(next: Upstream): Upstream {
    return new ToolPolicy({
      ...this.#options,
      next,
      judge: this.#judge,
      name: this.#settings.name,
    });
  }

  /** The link below the catalog; no link where a tool's name decides. */
  guard(next: Upstream): Upstream {
    const { name, timeoutMs } = this.#settings;
    if (!needsList(this.#judge.rules)) return next;
    return new CallGuard({ ...this.#options, next, judge: this.#judge, name, timeoutMs });
  }
}
