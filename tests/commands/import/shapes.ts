// One entry for each shape of command line that public configuration files start another bridge with. Hosts, names and
// secrets are invented. `line` is the client's command as shell words; leading `NAME=value` words are the entry's `env`.

/** One shape and the expected result of its import. */
export interface Shape {
  readonly line: string;
  /** The expected entry in config.json. */
  readonly entry?: object;
  /** Part of the expected reason for refusing the entry. */
  readonly refused?: string;
  /** The expected notes; none if undefined. */
  readonly notes?: readonly string[];
  /** For mcp-remote's arguments behind this executable (`run URL`): the expected members of the entry besides `url`, and the rest of the result; undefined: none. */
  readonly dropIn?: object;
}

const privateHttp = "its http is unencrypted: it works at private addresses alone (allowHttp)";
const transport = "is not needed: the bridge detects the transport";

export const shapes: readonly Shape[] = [
  {
    line: "npx -y mcp-remote https://s01.example/api/mcp/emcp_x",
    entry: { url: "https://s01.example/api/mcp/emcp_x" },
  },
  {
    line: "npx -y mcp-remote https://s02.example/mcp",
    entry: { url: "https://s02.example/mcp" },
  },
  {
    line: "npx -y mcp-remote http://plain/mcp",
    dropIn: { refused: "expected https" },
    refused: "without --allow-http",
  },
  {
    line: "npx -y mcp-remote https://s03.example/api/mcp?key=SECRET",
    entry: { url: "https://s03.example/api/mcp?key=SECRET" },
  },
  {
    line: "npx mcp-remote https://s04.example/api/mcp",
    entry: { url: "https://s04.example/api/mcp" },
  },
  {
    line: "npx -y mcp-remote https://s05.example/mcp",
    entry: { url: "https://s05.example/mcp" },
  },
  {
    line: "HTTP_PROXY=http://p:8080 HTTPS_PROXY=http://p:8080 NO_PROXY=localhost npx mcp-remote https://s06.example",
    entry: { url: "https://s06.example", network: { proxy: "http://p:8080" } },
    notes: ["its proxy is p:8080"],
  },
  {
    line: "npx -y mcp-remote https://s07.example/api/mcp",
    entry: { url: "https://s07.example/api/mcp" },
  },
  {
    line: 'npx -y mcp-remote https://s08.example/mcp --header "X-Key-Graph:literal"',
    dropIn: { headers: { "X-Key-Graph": "literal" } },
    entry: {
      url: "https://s08.example/mcp",
      headers: { "X-Key-Graph": "literal" },
      auth: { type: "none" },
    },
  },
  {
    line: "npx -y mcp-remote https://s09.example/mcp",
    entry: { url: "https://s09.example/mcp" },
  },
  {
    line: 'npx -y mcp-remote http://127.0.0.1:8591/mcp --allow-http --transport http-only --header "Authorization:${AUTH_HEADER}"',
    dropIn: { allowHttp: true, headers: { Authorization: "${AUTH_HEADER}" }, transport: "http" },
    entry: {
      url: "http://127.0.0.1:8591/mcp",
      headers: { Authorization: "${AUTH_HEADER}" },
      auth: { type: "none" },
    },
    notes: [`--transport http-only ${transport}`],
  },
  {
    line: "AUTHORIZATION='Bearer tok-1234' npx -y mcp-remote https://s10.example/api/mcp/sse",
    entry: { url: "https://s10.example/api/mcp/sse" },
    notes: ["the entry does not use AUTHORIZATION: left out"],
  },
  {
    line: "npx -y mcp-remote https://s11.example/mcp --auth-timeout 120 --allow-http",
    dropIn: { allowHttp: true },
    entry: { url: "https://s11.example/mcp" },
  },
  {
    line: "npx -y mcp-remote http://localhost:8111/mcp/",
    entry: { url: "http://localhost:8111/mcp/" },
  },
  {
    line: 'npx -y mcp-remote https://s12.example/mcp/v1 --header "x-dune-api-key: ${DUNE_API_KEY}" --transport http-first',
    dropIn: { headers: { "x-dune-api-key": "${DUNE_API_KEY}" }, transport: "http" },
    entry: {
      url: "https://s12.example/mcp/v1",
      headers: { "x-dune-api-key": "${DUNE_API_KEY}" },
      auth: { type: "none" },
    },
  },
  {
    line: "npx mcp-remote@latest https://s13.example:4001/mcp",
    entry: { url: "https://s13.example:4001/mcp" },
  },
  {
    line: "npx -y mcp-remote@latest https://s14.example/mcp",
    entry: { url: "https://s14.example/mcp" },
  },
  {
    line: "npx -y mcp-remote@latest https://s15.example/v1/mcp",
    entry: { url: "https://s15.example/v1/mcp" },
  },
  {
    line: "npx -y mcp-remote@latest https://s16.example/airports/mcp",
    entry: { url: "https://s16.example/airports/mcp" },
  },
  {
    line: "npx -y mcp-remote@latest https://s17.example/mcp/agents/x --transport http-only --oauth-server https://api.s17.example",
    dropIn: {
      warnings: ["--oauth-server is no option of mcp-remote: it has no effect"],
      transport: "http",
    },
    entry: { url: "https://s17.example/mcp/agents/x" },
    notes: [
      `--transport http-only ${transport}`,
      "--oauth-server is left out: mcp-remote does not know it",
    ],
  },
  {
    line: "npx -y mcp-remote@latest https://s15.example/v1/sse",
    entry: { url: "https://s15.example/v1/sse" },
  },
  {
    line: "AUTH_HEADER='Bearer tok-1234' npx -y mcp-remote@latest https://s18.example/mcp --header Authorization:${AUTH_HEADER}",
    dropIn: { headers: { Authorization: "${AUTH_HEADER}" } },
    entry: { url: "https://s18.example/mcp", token: "tok-1234" },
  },
  {
    line: "npx -y mcp-remote@latest https://s19.example/sse",
    entry: { url: "https://s19.example/sse" },
  },
  {
    line: "npx mcp-remote https://s20.example/mcp 3334 --static-oauth-client-info @/home/someone/.config/mcp-remote/oauth.json",
    dropIn: {
      auth: {
        type: "oauth",
        clientId: "file-id",
        redirectUri: "http://localhost:3334/oauth/callback",
      },
    },
    entry: {
      url: "https://s20.example/mcp",
      auth: {
        type: "oauth",
        clientId: "file-id",
        redirectUri: "http://localhost:3334/oauth/callback",
      },
    },
    notes: ["--static-oauth-client-info comes from the file ./.config/mcp-remote/oauth.json"],
  },
  {
    line: 'npx mcp-remote http://s/mcp --allow-http --static-oauth-client-info \'{"client_id":"x"}\'',
    dropIn: {
      allowHttp: true,
      auth: { type: "oauth", clientId: "x", redirectUri: "http://localhost:7410/oauth/callback" },
    },
    entry: {
      url: "http://s/mcp",
      allowHttp: true,
      auth: {
        type: "oauth",
        clientId: "x",
        redirectUri: "http://localhost:7410/oauth/callback",
      },
    },
    notes: [privateHttp],
  },
  {
    line: 'npx mcp-remote https://s21.example/mcp/suite 3334 --static-oauth-client-info \'{"client_id":"x","client_secret":"y"}\'',
    dropIn: {
      auth: {
        type: "oauth",
        clientId: "x",
        clientSecret: "y",
        redirectUri: "http://localhost:3334/oauth/callback",
      },
      holdsSecret: true,
    },
    entry: {
      url: "https://s21.example/mcp/suite",
      auth: {
        type: "oauth",
        clientId: "x",
        clientSecret: "y",
        redirectUri: "http://localhost:3334/oauth/callback",
      },
    },
  },
  {
    line: "NODE_EXTRA_CA_CERTS=certs/l.pem /n/node /x/node_modules/mcp-remote/dist/proxy.js https://localhost:7071/mcp 9999 --host 127.0.0.1 --static-oauth-client-info @.cursor/oauth.json",
    dropIn: {
      auth: {
        type: "oauth",
        clientId: "file-id",
        redirectUri: "http://127.0.0.1:9999/oauth/callback",
      },
    },
    entry: {
      url: "https://localhost:7071/mcp",
      auth: {
        type: "oauth",
        clientId: "file-id",
        redirectUri: "http://127.0.0.1:9999/oauth/callback",
      },
    },
    notes: [
      "--static-oauth-client-info comes from the file .cursor/oauth.json",
      "the relative certificate file will not carry over (each client resolves it from another folder): name it in network.caFile",
    ],
  },
  {
    line: 'npx mcp-remote https://s22.example/v1/ --static-oauth-client-info \'{"client_id":"x"}\' --static-oauth-client-metadata \'{"scope":"api://x/mcp.tools"}\' --no-resource --debug',
    dropIn: {
      auth: {
        type: "oauth",
        scopes: ["api://x/mcp.tools"],
        clientId: "x",
        redirectUri: "http://localhost:13610/oauth/callback",
      },
      warnings: ["--no-resource is no option of mcp-remote: it has no effect"],
    },
    entry: {
      url: "https://s22.example/v1/",
      auth: {
        type: "oauth",
        scopes: ["api://x/mcp.tools"],
        clientId: "x",
        redirectUri: "http://localhost:13610/oauth/callback",
      },
    },
    notes: ["--no-resource is left out: mcp-remote does not know it"],
  },
  {
    line: 'npx -y mcp-remote https://s23.example/mcp-auth/api --static-oauth-client-info \'{"client_id":"sb-x!t1"}\' --host localhost',
    dropIn: {
      auth: {
        type: "oauth",
        clientId: "sb-x!t1",
        redirectUri: "http://localhost:27184/oauth/callback",
      },
    },
    entry: {
      url: "https://s23.example/mcp-auth/api",
      auth: {
        type: "oauth",
        clientId: "sb-x!t1",
        redirectUri: "http://localhost:27184/oauth/callback",
      },
    },
  },
  {
    line: 'npx -y mcp-remote https://s24.example/api/v2/databases/D/schemas/S/mcp-servers/M 3334 --static-oauth-client-info \'{"client_id":"a+b="}\' --static-oauth-client-metadata \'{"scope":"session:role:R"}\'',
    dropIn: {
      auth: {
        type: "oauth",
        scopes: ["session:role:R"],
        clientId: "a+b=",
        redirectUri: "http://localhost:3334/oauth/callback",
      },
    },
    entry: {
      url: "https://s24.example/api/v2/databases/D/schemas/S/mcp-servers/M",
      auth: {
        type: "oauth",
        scopes: ["session:role:R"],
        clientId: "a+b=",
        redirectUri: "http://localhost:3334/oauth/callback",
      },
    },
  },
  {
    line: "npx -y -q mcp-remote https://s25.example/gradio_api/mcp/sse --transport sse-only",
    dropIn: { transport: "sse" },
    entry: { url: "https://s25.example/gradio_api/mcp/sse" },
    notes: [`--transport sse-only ${transport}`],
  },
  {
    line: 'npx -y mcp-remote@0.1.38 http://127.0.0.1:9/sse --transport sse-only --allow-http --header "Authorization: Bearer literal"',
    dropIn: {
      allowHttp: true,
      headers: { Authorization: "Bearer literal" },
      transport: "sse",
      holdsSecret: true,
    },
    entry: { url: "http://127.0.0.1:9/sse", token: "literal" },
    notes: [`--transport sse-only ${transport}`],
  },
  {
    line: "AUTH_HEADER='Bearer tok-1234' npx -y mcp-remote http://localhost:8001/sse --transport sse-only --allow-http --header Authorization:${AUTH_HEADER}",
    dropIn: { allowHttp: true, headers: { Authorization: "${AUTH_HEADER}" }, transport: "sse" },
    entry: { url: "http://localhost:8001/sse", token: "tok-1234" },
    notes: [`--transport sse-only ${transport}`],
  },
  {
    line: "H_0='Bearer tok-1234' npx mcp-remote https://s26.example/sse --transport sse-only --header Authorization:${H_0}",
    dropIn: { headers: { Authorization: "${H_0}" }, transport: "sse" },
    entry: { url: "https://s26.example/sse", token: "tok-1234" },
    notes: [`--transport sse-only ${transport}`],
  },
  {
    line: "wsl npx -y mcp-remote https://s27.example/sse --transport sse-only",
    dropIn: { transport: "sse" },
    entry: { url: "https://s27.example/sse" },
    notes: [`--transport sse-only ${transport}`],
  },
  {
    line: "npx -y mcp-remote http://127.0.0.1:9/sse --transport sse-only",
    dropIn: { transport: "sse" },
    entry: { url: "http://127.0.0.1:9/sse" },
    notes: [`--transport sse-only ${transport}`],
  },
  {
    line: "npx -y mcp-remote@0.1.29 http://localhost:8001/mcp --transport http-only --allow-http --oauth-server http://localhost:8001",
    dropIn: {
      allowHttp: true,
      warnings: ["--oauth-server is no option of mcp-remote: it has no effect"],
      transport: "http",
    },
    entry: { url: "http://localhost:8001/mcp" },
    notes: [
      `--transport http-only ${transport}`,
      "--oauth-server is left out: mcp-remote does not know it",
    ],
  },
  {
    line: "npx -y mcp-remote@latest http://10.0.0.2/mcp --allow-http",
    dropIn: { allowHttp: true },
    entry: { url: "http://10.0.0.2/mcp", allowHttp: true },
    notes: [privateHttp],
  },
  {
    line: "npx -y mcp-remote http://localhost:4401/sse --allow-http",
    dropIn: { allowHttp: true },
    entry: { url: "http://localhost:4401/sse" },
  },
  {
    line: 'cmd /c npx -y mcp-remote https://s28.example/mcp --header "Authorization: Bearer literal"',
    dropIn: { headers: { Authorization: "Bearer literal" }, holdsSecret: true },
    entry: { url: "https://s28.example/mcp", token: "literal" },
  },
  {
    line: 'npx -y mcp-remote https://s28.example/mcp --header "Authorization: Bearer literal"',
    dropIn: { headers: { Authorization: "Bearer literal" }, holdsSecret: true },
    entry: { url: "https://s28.example/mcp", token: "literal" },
  },
  {
    line: "npx -y mcp-remote http://host/api/mcp --allow-http",
    dropIn: { allowHttp: true },
    entry: { url: "http://host/api/mcp", allowHttp: true },
    notes: [privateHttp],
  },
  {
    line: "cmd /c npx -y mcp-remote http://host/api/mcp --allow-http",
    dropIn: { allowHttp: true },
    entry: { url: "http://host/api/mcp", allowHttp: true },
    notes: [privateHttp],
  },
  {
    line: "NODE_OPTIONS=--use-system-ca cmd /c npx -y mcp-remote http://127.0.0.1:8080/mcp",
    entry: { url: "http://127.0.0.1:8080/mcp" },
  },
  {
    line: "cmd /c npx -y mcp-remote https://s29.example/mcp",
    entry: { url: "https://s29.example/mcp" },
  },
  {
    line: "PATH=/opt/homebrew/bin:/usr/bin /n/bin/npx -y mcp-remote https://s29.example/mcp",
    entry: { url: "https://s29.example/mcp" },
  },
  {
    line: "npx -y mcp-remote https://s30.example/mcp/messages",
    entry: { url: "https://s30.example/mcp/messages" },
  },
  {
    line: "npx mcp-remote https://s31.example/mcp",
    entry: { url: "https://s31.example/mcp" },
  },
  {
    line: "npx mcp-remote https://s32.example/mcp --header x-api-key:literal",
    dropIn: { headers: { "x-api-key": "literal" } },
    entry: {
      url: "https://s32.example/mcp",
      headers: { "x-api-key": "literal" },
      auth: { type: "none" },
    },
  },
  {
    line: "npx mcp-remote http://localhost:3020/api/mcp --allow-http",
    dropIn: { allowHttp: true },
    entry: { url: "http://localhost:3020/api/mcp" },
  },
  {
    line: "npx mcp-remote http://203.0.113.9:8001/mcp/ --allow-http",
    dropIn: { allowHttp: true },
    refused: "its address is not private",
  },
  {
    line: "bunx -y mcp-remote https://s33.example/mcp",
    entry: { url: "https://s33.example/mcp" },
  },
  {
    line: "npx -y mcp-remote https://s34.example/mcp",
    entry: { url: "https://s34.example/mcp" },
  },
  {
    line: 'npx -y mcp-remote https://s35.example/mcp --header "Authorization: Bearer literal"',
    dropIn: { headers: { Authorization: "Bearer literal" }, holdsSecret: true },
    entry: { url: "https://s35.example/mcp", token: "literal" },
  },
  {
    line: 'E_TOKEN=x npx -y mcp-remote https://s36.example/mcp --header "Authorization: Bearer ${E_TOKEN}"',
    dropIn: { headers: { Authorization: "Bearer ${E_TOKEN}" } },
    entry: { url: "https://s36.example/mcp", token: "x" },
  },
  {
    line: 'npx mcp-remote https://s37.example/sse --header "Authorization: Bearer ${G_KEY}"',
    dropIn: { headers: { Authorization: "Bearer ${G_KEY}" } },
    entry: { url: "https://s37.example/sse", tokenEnv: "G_KEY" },
  },
  {
    line: 'npx -y mcp-remote https://s38.example/mcp --header "Authorization: Bearer literal"',
    dropIn: { headers: { Authorization: "Bearer literal" }, holdsSecret: true },
    entry: { url: "https://s38.example/mcp", token: "literal" },
  },
  {
    line: 'Y_KEY=x npx mcp-remote https://s39.example/mcp --header "Authorization: Bearer ${Y_KEY}"',
    dropIn: { headers: { Authorization: "Bearer ${Y_KEY}" } },
    entry: { url: "https://s39.example/mcp", token: "x" },
  },
  {
    line: 'S_TOKEN=x npx mcp-remote https://s40.example/mcp --header "Authorization: Bearer ${S_TOKEN}"',
    dropIn: { headers: { Authorization: "Bearer ${S_TOKEN}" } },
    entry: { url: "https://s40.example/mcp", token: "x" },
  },
  {
    line: 'npx -y mcp-remote https://s41.example/mcp --header "Authorization: Bearer literal"',
    dropIn: { headers: { Authorization: "Bearer literal" }, holdsSecret: true },
    entry: { url: "https://s41.example/mcp", token: "literal" },
  },
  {
    line: "npx -y mcp-remote@0.1.18 https://s42.example/mcp/agents/x --oauth-server https://s42.example --header X-Agent-Name:x",
    dropIn: {
      headers: { "X-Agent-Name": "x" },
      warnings: ["--oauth-server is no option of mcp-remote: it has no effect"],
    },
    entry: { url: "https://s42.example/mcp/agents/x", headers: { "X-Agent-Name": "x" } },
    notes: ["--oauth-server is left out: mcp-remote does not know it"],
  },
  {
    line: "/usr/local/bin/mcp-remote https://s43.example/mcp",
    entry: { url: "https://s43.example/mcp" },
  },
  {
    line: 'K_TOKEN=x npx -y mcp-remote@0.1.38 http://192.0.2.10:51766/mcp --allow-http --transport http-only --silent --header "Authorization: Bearer ${K_TOKEN}"',
    dropIn: { allowHttp: true, headers: { Authorization: "Bearer ${K_TOKEN}" }, transport: "http" },
    refused: "its address is not private",
    notes: [`--transport http-only ${transport}`],
  },
  {
    line: "H_AUTH='Bearer tok-1234' npx -y mcp-remote@0.1.38 https://s44.example/mcp --header Authorization:${H_AUTH}",
    dropIn: { headers: { Authorization: "${H_AUTH}" } },
    entry: { url: "https://s44.example/mcp", token: "tok-1234" },
  },
  {
    line: 'with_secrets.py e.env -- npx -y mcp-remote@0.14.3 https://s45.example/mcp --header "Authorization: Bearer ${E_KEY}"',
    dropIn: { headers: { Authorization: "Bearer ${E_KEY}" } },
    entry: { url: "https://s45.example/mcp", tokenEnv: "E_KEY" },
    notes: ["with_secrets.py is left out: set its variables where the client starts"],
  },
  {
    line: "MCP_REMOTE_CONFIG_DIR=${HOME}/.config/x npx -y mcp-remote https://s46.example/mcp 3334 --host 127.0.0.1 --transport http-only --auth-timeout 600",
    dropIn: {
      auth: { type: "oauth", redirectUri: "http://127.0.0.1:3334/oauth/callback" },
      transport: "http",
    },
    entry: {
      url: "https://s46.example/mcp",
      auth: { type: "oauth", redirectUri: "http://127.0.0.1:3334/oauth/callback" },
    },
    notes: [`--transport http-only ${transport}`],
  },
  {
    line: 'npx -y mcp-remote@0.1.38 https://s47.example/mcp --header X-Participant:primary --transport http-only --auth-timeout 120 --static-oauth-client-metadata \'{"client_name":"x","client_uri":"https://s25.example"}\' --silent',
    dropIn: {
      headers: { "X-Participant": "primary" },
      auth: { type: "oauth", clientName: "x" },
      warnings: [
        "client_uri of --static-oauth-client-metadata has no effect: the bridge registers with its own",
      ],
      transport: "http",
    },
    entry: {
      url: "https://s47.example/mcp",
      headers: { "X-Participant": "primary" },
      auth: { type: "oauth", clientName: "x" },
    },
    notes: [
      "client_uri of --static-oauth-client-metadata will not carry over: the bridge registers with its own",
      `--transport http-only ${transport}`,
    ],
  },
  {
    line: 'npx -y mcp-remote@latest https://s48.example/api/mcp/web_reader/mcp --header "Authorization: Bearer ${Z_KEY}"',
    dropIn: { headers: { Authorization: "Bearer ${Z_KEY}" } },
    entry: { url: "https://s48.example/api/mcp/web_reader/mcp", tokenEnv: "Z_KEY" },
  },
  {
    line: "npx -y mcp-remote https://s19.example/mcp",
    entry: { url: "https://s19.example/mcp" },
  },
  {
    line: "npx -y mcp-remote https://s49.example/v1",
    entry: { url: "https://s49.example/v1" },
  },
  {
    line: "'npx mcp-remote https://s50.example/sse'",
    entry: { url: "https://s50.example/sse" },
  },
  {
    line: "npx -y mcp-remote https://s51.example/mcp",
    entry: { url: "https://s51.example/mcp" },
  },
  {
    line: "npx mcp-remote https://s52.example/mcp/sse",
    entry: { url: "https://s52.example/mcp/sse" },
  },
  {
    line: "npx -y mcp-remote http://localhost:3000/mcp --allow-http --transport http-only",
    dropIn: { allowHttp: true, transport: "http" },
    entry: { url: "http://localhost:3000/mcp" },
    notes: [`--transport http-only ${transport}`],
  },
  {
    line: "npx -y supergateway --streamableHttp https://s53.example/api/mcp",
    entry: { url: "https://s53.example/api/mcp" },
  },
  {
    line: "npx -y supergateway --streamableHttp https://s54.example/mcp",
    entry: { url: "https://s54.example/mcp" },
  },
  {
    line: 'npx -y supergateway --streamableHttp https://s55.example/mcp-server/http --header "authorization:Bearer literal"',
    entry: { url: "https://s55.example/mcp-server/http", token: "literal" },
  },
  {
    line: "npx -y supergateway --streamableHttp https://s56.example/mcp",
    entry: { url: "https://s56.example/mcp" },
  },
  {
    line: "npx -y supergateway --streamableHttp https://s57.example --streamableHttpPath /",
    entry: { url: "https://s57.example" },
  },
  {
    line: "pnpm dlx supergateway --streamableHttp http://localhost:3033/mcp --logLevel debug",
    entry: { url: "http://localhost:3033/mcp" },
  },
  {
    line: "uvx mcp-proxy --transport sse https://s58.example/sse",
    entry: { url: "https://s58.example/sse" },
  },
  {
    line: "uvx mcp-proxy --transport streamablehttp http://localhost:12008/x/mcp",
    entry: { url: "http://localhost:12008/x/mcp" },
  },
  {
    line: "mcp-proxy --transport streamablehttp --stateless https://s59.example/mcp",
    entry: { url: "https://s59.example/mcp" },
  },
  {
    line: "npx -y mcp-proxy --transport stdio http://localhost:8850/mcp",
    entry: { url: "http://localhost:8850/mcp" },
  },
];
