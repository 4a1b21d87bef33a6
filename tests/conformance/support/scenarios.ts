// The steps of a user in each scenario of the suite, for every client.

/** A client of either SDK, reduced to what scenarios need. */
export interface SuiteClient {
  tools(): Promise<{ name: string; inputSchema: object }[]>;
  call(name: string, args: Record<string, unknown>): Promise<unknown>;
  readEverything(): Promise<void>;
}

/** What a scenario passes with MCP_CONFORMANCE_CONTEXT to be called. */
interface Context {
  readonly toolCalls?: readonly {
    readonly name: string;
    readonly arguments: Record<string, unknown>;
  }[];
}

/** Plays `scenario` to its end. */
export async function play(scenario: string, client: SuiteClient): Promise<void> {
  const tools = await client.tools();
  if (scenario.startsWith("auth/")) {
    if (tools.some(({ name }) => name === "test-tool")) await client.call("test-tool", {});
    return;
  }
  switch (scenario) {
    case "initialize":
    case "request-metadata":
    case "json-schema-ref-no-deref":
      return;
    case "tools_call":
      await client.call("add_numbers", { a: 2, b: 3 });
      return;
    case "sep-2322-client-request-state":
      // One after the other: the elicitation during the first call makes an unrelated call.
      for (const name of ["echo_state", "no_state"]) await client.call(`test_mrtr_${name}`, {});
      // SDK 2.x itself refuses a result without resultType; the scenario checks the next request.
      await client.call("test_mrtr_no_result_type", {}).catch(() => undefined);
      return;
    case "http-standard-headers":
      await client.call("my-hyphenated-tool", {});
      await client.readEverything();
      return;
    case "http-custom-headers": {
      const { toolCalls = [] } = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "{}") as Context;
      for (const call of toolCalls) await client.call(call.name, call.arguments);
      return;
    }
    case "json-schema-2020-12-preservation": {
      const schema = tools.find(({ name }) => name === "json_schema_2020_12_tool")?.inputSchema;
      await client.call("json_schema_echo", { schema });
      return;
    }
    default:
      for (const { name } of tools) await client.call(name, {});
  }
}
