// Answers that the combined server gives for all of its servers: initialize, server/discover, logging/setLevel.
import type { RequestIds } from "../../upstream/core/request-ids.ts";
import { metaKeys, statelessRevision } from "../../upstream/core/stateless-protocol.ts";
import type { Deliver } from "../../upstream/core/types.ts";
import { errorTo, type Message, responseTo } from "../../wire/message.ts";
import { program, protocolRevisions } from "../../wire/program-facts.ts";
import { within } from "../timeout.ts";
import {
  type Introduction,
  introductionOf,
  joinInstructions,
  mergeCapabilities,
} from "./introduction.ts";
import type { Member } from "./member.ts";

/** How long the answer to initialize waits for servers without a catalog: their instructions stand in it. */
const introductionMs = 300;
/** How long the answer to server/discover waits: no catalog answers that, and a session server makes its handshake first. */
const discoveryMs = 1000;
const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
const invalidParams = -32602;
const sessionRevisions = protocolRevisions.filter((revision) => revision !== statelessRevision);
const serverInfo = { name: program.name, title: "Several MCP servers", version: program.version };

export class OwnAnswers {
  readonly #members: readonly Member[];
  readonly #ids: RequestIds;

  constructor(members: readonly Member[], ids: RequestIds) {
    this.#members = members;
    this.#ids = ids;
  }

  /** Begins the handshake with every server, and answers initialize. */
  async initialize(message: Message, deliver: Deliver): Promise<void> {
    for (const member of this.#members)
      member.start(message.with([{ path: ["id"], raw: this.#ids.next("initialize") }]));
    const connected = this.#members.map((member) => member.connected());
    await within(introductionMs, Promise.allSettled(connected));
    const known = this.#members.flatMap(({ introduction }) => introduction ?? []);
    const asked = message.value(["params", "protocolVersion"]);
    const revision = sessionRevisions.find((each) => each === asked) ?? sessionRevisions.at(-1)!;
    const result = { protocolVersion: revision, ...this.#introduction(known), serverInfo };
    await deliver(responseTo(message.head.id!, JSON.stringify(result)));
  }

  /** Answers server/discover (MCP 2026-07-28 server/discover). `signal` ends the requests to the servers. */
  async discover(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const known: Introduction[] = [];
    const one = async (member: Member) => {
      const request = message.with([{ path: ["id"], raw: this.#ids.next("discover") }]);
      const take: Deliver = async (incoming) => {
        const result = incoming.head.isError === false ? incoming.value(["result"]) : undefined;
        if (typeof result === "object" && result !== null)
          known.push(introductionOf(member.name, { ...result }));
      };
      await member.send(request, take, signal).catch(() => undefined);
    };
    await within(discoveryMs, Promise.all(this.#members.map(one)));
    const result = {
      resultType: "complete",
      ttlMs: 0,
      cacheScope: "private",
      supportedVersions: protocolRevisions.toReversed(),
      ...this.#introduction(known),
      serverInfo,
      _meta: { [metaKeys.serverInfo]: serverInfo },
    };
    await deliver(responseTo(message.head.id!, JSON.stringify(result)));
  }

  /** Sets the log level of every server, and answers logging/setLevel. */
  async setLevel(message: Message, deliver: Deliver): Promise<void> {
    const id = message.head.id!;
    const level = message.value(["params", "level"]);
    if (!logLevels.includes(String(level)))
      return deliver(
        errorTo(id, { code: invalidParams, message: "Invalid params: unknown level" }),
      );
    for (const member of this.#members)
      member.setLogLevel(message.with([{ path: ["id"], raw: this.#ids.next("level") }]));
    await deliver(responseTo(id, "{}"));
  }

  #introduction(known: readonly Introduction[]) {
    const names = this.#members.map(({ name }) => name);
    const inOrder = known.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
    const instructions = joinInstructions(inOrder);
    const capabilities = mergeCapabilities(inOrder, known.length === names.length);
    return { capabilities, ...(instructions !== undefined && { instructions }) };
  }
}
