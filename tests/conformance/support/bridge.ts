import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiledBridge } from "../../support/binary.ts";

/** Further facts that the suite passes to a client (MCP_CONFORMANCE_CONTEXT). */
type Fact =
  | "client_id"
  | "client_secret"
  | "idp_client_id"
  | "idp_id_token"
  | "idp_issuer"
  | "idp_token_endpoint"
  | "private_key_pem"
  | "signing_algorithm"
  | "valid_jwt";
type Facts = Readonly<Partial<Record<Fact, string>>>;

/** The configured server's name. */
export const server = "suite";

/** The bridge with a home and a server of its own. */
export interface OwnBridge {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
  /** Signs in as a user who copies the URL into a browser and the redirect URL back; undefined if `run` opens the browser itself. */
  readonly signIn: (() => Promise<void>) | undefined;
}

/**
 * What a leg tells its client: `stateless` is the server's "protocol", `browser` starts `run` with `--sign-in browser`,
 * `combined` starts it with a second server, which cannot be reached.
 */
export type LegWord = "stateless" | "browser" | "combined";

const unreachable = { url: "http://127.0.0.1:9/mcp", connectTimeoutSec: 1 };

/** Writes a configuration for `url` into `home`, with the credentials that the scenario provides. */
export function configureBridge(
  home: string,
  url: string,
  scenario: string,
  words: readonly string[] = [],
): OwnBridge {
  const has = (word: LegWord) => words.includes(word);
  const facts = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "{}") as Facts;
  const auth = scenario.startsWith("auth/") ? authOf(scenario, facts, home) : undefined;
  const entry = { url, ...(auth && { auth }), ...(has("stateless") && { protocol: "stateless" }) };
  const others = has("combined") ? { unreachable } : {};
  const config = { version: 1, servers: { [server]: entry, ...others } };
  writeFileSync(join(home, "config.json"), JSON.stringify(config), { mode: 0o600 });
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: home,
    CODEX_MCP_BRIDGE_HOME: home,
    LOG_LEVEL: "debug",
  };
  const command = compiledBridge();
  const args = has("combined") ? ["run", "--all"] : ["run", "--server", server];
  if (!has("browser")) return { command, args, env, signIn: () => signInByPasting(command, env) };
  const BROWSER = `${process.execPath} ${join(import.meta.dir, "browser.ts")}`;
  return {
    command,
    args: [...args, "--sign-in", "browser"],
    env: { ...env, BROWSER },
    signIn: undefined,
  };
}

/** The `auth` entry for the scenario's provider. */
function authOf(scenario: string, facts: Facts, home: string): object {
  const keep = (name: string, text: string) => {
    const path = join(home, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const client = {
    ...(facts.client_id !== undefined && { clientId: facts.client_id }),
    ...(facts.client_secret !== undefined && { clientSecret: facts.client_secret }),
  };
  switch (scenario) {
    case "auth/client-credentials-basic":
      return { type: "oauth", grant: "client_credentials", ...client };
    case "auth/client-credentials-jwt":
      return {
        type: "oauth",
        grant: "client_credentials",
        ...client,
        clientAuth: "private_key_jwt",
        privateKeyFile: keep("client.pem", facts.private_key_pem ?? ""),
        algorithm: facts.signing_algorithm ?? "ES256",
      };
    case "auth/enterprise-managed-authorization":
      return {
        type: "oauth",
        grant: "id_jag",
        ...client,
        idp: {
          issuer: facts.idp_issuer,
          tokenEndpoint: facts.idp_token_endpoint,
          clientId: facts.idp_client_id,
          idTokenFile: keep("id-token", facts.idp_id_token ?? ""),
        },
      };
    case "auth/wif-jwt-bearer":
      return {
        type: "oauth",
        grant: "jwt_bearer",
        ...client,
        assertionFile: keep("assertion", facts.valid_jwt ?? ""),
      };
    case "auth/pre-registration":
      return { type: "oauth", ...client };
    default:
      return {
        type: "oauth",
        clientMetadataUrl: "https://conformance-test.local/client-metadata.json",
      };
  }
}

/** Runs `login --no-browser`, visits its URL and pastes the redirect URL. */
async function signInByPasting(command: string, env: Record<string, string>): Promise<void> {
  const login = Bun.spawn([command, "login", "--server", server, "--no-browser"], {
    env,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = login.stderr.text();
  let shown = "";
  const decoder = new TextDecoder();
  for await (const chunk of login.stdout) {
    shown += decoder.decode(chunk, { stream: true });
    const url = /https?:\/\/\S+[?&]response_type=\S+/.exec(shown)?.[0];
    if (url === undefined) continue;
    const answer = await fetch(url, { redirect: "manual" });
    login.stdin.write(`${answer.headers.get("location") ?? ""}\n`);
    await login.stdin.end();
    break;
  }
  const code = await login.exited;
  if (code !== 0) throw new Error(`login ended with ${code}: ${await errors}`);
}

/** The listed tools. `sign_in` alone means that a sign-in is needed first. */
export function signedInTools<T extends { readonly name: string }>(tools: T[]): T[] {
  if (tools.length !== 1 || tools[0]?.name !== "sign_in") return tools;
  throw Object.assign(new Error("nobody is signed in"), { code: 1401 });
}

/** Does `work`, and signs in whenever the bridge asks for it, a limited number of times; not where `run` opens the browser itself. */
export async function withSignIn<T>(bridge: OwnBridge, work: () => Promise<T>): Promise<T> {
  for (let times = 0; ; times++) {
    try {
      return await work();
    } catch (error) {
      const isAsked = (error as { code?: unknown }).code === 1401 && times < 3;
      if (!isAsked || bridge.signIn === undefined) throw error;
      await bridge.signIn();
    }
  }
}
