import { describe, expect, test } from "bun:test";
import { findBridge, mentionedBridge } from "../../../src/commands/import/launcher.ts";
import { splitWords } from "../../../src/wire/text.ts";

const url = "https://a.example/mcp";
/** Name and arguments of the bridge that a command line starts, joined by spaces. */
function found(line: string): string | undefined {
  const bridge = findBridge(splitWords(line));
  return bridge === undefined ? undefined : [bridge.name, ...bridge.args].join(" ");
}

describe("findBridge", () => {
  test.each([
    `npx mcp-remote ${url}`,
    `npx -y mcp-remote@latest ${url}`,
    `npx --yes --registry https://r.example mcp-remote@0.1.38 ${url}`,
    `/opt/node/bin/npx -y -q mcp-remote ${url}`,
    `npx.cmd -y mcp-remote ${url}`,
    `npx -p mcp-remote@1 mcp-remote ${url}`,
    `npm exec -y -- mcp-remote ${url}`,
    `bunx -y mcp-remote ${url}`,
    `bunx --bun mcp-remote ${url}`,
    `bun x mcp-remote ${url}`,
    `pnpm dlx mcp-remote@latest ${url}`,
    `pnpx mcp-remote ${url}`,
    `yarn dlx mcp-remote ${url}`,
    `deno run -A npm:mcp-remote@0.15.1 ${url}`,
    `cmd /c npx -y mcp-remote ${url}`,
    `cmd.exe /C "npx -y mcp-remote ${url}"`,
    `cmd /d /s /c npx -y mcp-remote ${url}`,
    `wsl npx -y mcp-remote ${url}`,
    `wsl.exe -d Ubuntu -- npx mcp-remote ${url}`,
    `mcp-remote ${url}`,
    `/usr/local/bin/mcp-remote ${url}`,
    `C:/Users/x/AppData/Roaming/npm/mcp-remote.cmd ${url}`,
    `node /x/node_modules/mcp-remote/dist/proxy.js ${url}`,
    `/usr/bin/node --no-warnings /x/mcp-remote/dist/proxy.js ${url}`,
    `bun run /x/node_modules/mcp-remote/dist/proxy.js ${url}`,
    `env A=b npx mcp-remote ${url}`,
    `sh -c "exec npx mcp-remote ${url}"`,
    `bash -lc "npx mcp-remote ${url}"`,
    `secrets.py a.env -- npx mcp-remote ${url}`,
    `npx -y --package=mcp-remote@0.1.4 mcp-remote ${url}`,
    `npx --loglevel silent --prefix /x mcp-remote ${url}`,
    `npx -y -p mcp-remote -c "mcp-remote ${url}"`,
    `npx --package mcp-remote "--call=mcp-remote ${url}"`,
    `npx -y @dotenvx/dotenvx run -f .env -- npx -y mcp-remote ${url}`,
    `NPX.CMD -y mcp-remote ${url}`,
    `/usr/bin/node /usr/lib/node_modules/npm/bin/npx-cli.js -y mcp-remote ${url}`,
    `/usr/bin/node /usr/lib/node_modules/npm/bin/npm-cli.js exec -- mcp-remote ${url}`,
    `pnpm --silent dlx mcp-remote ${url}`,
    `pnpm --package=mcp-remote dlx mcp-remote ${url}`,
    `deno x npm:mcp-remote ${url}`,
    `corepack pnpm dlx mcp-remote ${url}`,
    `volta run --node 22 npx -y mcp-remote ${url}`,
    `mise exec node@22 -- npx -y mcp-remote ${url}`,
    `nice -n 10 timeout 3600 npx mcp-remote ${url}`,
    `sudo -u me npx mcp-remote ${url}`,
    `/usr/bin/env -S "npx -y mcp-remote ${url}"`,
    `env -i A=b npx mcp-remote ${url}`,
    `"npx -y mcp-remote" ${url}`,
    `powershell -NoProfile -Command "npx -y mcp-remote ${url}"`,
    `powershell.exe npx -y mcp-remote ${url}`,
    `pwsh -c "& npx mcp-remote '${url}'"`,
    `nix-shell -p nodejs --run "npx -y mcp-remote ${url}"`,
    `bash -c ". ~/.nvm/nvm.sh && exec npx -y mcp-remote ${url} 2>/dev/null"`,
    `docker run -i --rm --name mcp node:22 npx -y mcp-remote ${url}`,
    `docker run -i --rm ghcr.io/a/mcp-remote:latest ${url}`,
  ])("%s starts mcp-remote", (line) => expect(found(line)).toBe(`mcp-remote ${url}`));

  test.each([
    [`uvx mcp-proxy --transport sse ${url}`, `mcp-proxy --transport sse ${url}`],
    [`uvx --from mcp-proxy==0.10.0 mcp-proxy ${url}`, `mcp-proxy ${url}`],
    [`uv tool run mcp-proxy ${url}`, `mcp-proxy ${url}`],
    [`uv run --with mcp-proxy mcp-proxy ${url}`, `mcp-proxy ${url}`],
    [`sh -c "npx mcp-remote \\\n ${url} # mine"`, `mcp-remote ${url}`],
    [`pipx run fastmcp-remote ${url}`, `fastmcp-remote ${url}`],
    [`python -m mcp_proxy ${url}`, `mcp-proxy ${url}`],
    [`hyper-mcp-remote ${url}`, `hyper-mcp-remote ${url}`],
    [`npx supergateway --sse ${url}`, `supergateway --sse ${url}`],
    [
      `docker run --rm -i a/mcp-proxy:latest --transport sse ${url}`,
      `mcp-proxy --transport sse ${url}`,
    ],
    ["cmd /c npx mcp-remote --header A:%T%", "mcp-remote --header A:${T}"],
    [`sh -c 'npx mcp-remote "${url}?a=b&c=d"'`, `mcp-remote ${url}?a=b&c=d`],
    ["sh -c 'npx mcp-remote --header \"A: $T\"'", "mcp-remote --header A: ${T}"],
    ["powershell -c 'npx mcp-remote --header \"A: $env:T\"'", "mcp-remote --header A: ${T}"],
  ])("%s starts %s", (line, expected) => expect(found(line)).toBe(expected));

  test("variables that `env` sets are returned", () => {
    expect(findBridge(["env", "A=b=c", "npx", "mcp-remote", url])?.env).toEqual({ A: "b=c" });
  });

  test("variables that a shell's line sets are returned, and the commands before the last are named", () => {
    const line = "export A=b; source x.sh; cd /x && C='d e' npx mcp-remote";
    const { env, notes } = findBridge(["bash", "-lc", line])!;
    expect([env, notes]).toEqual([
      { A: "b", C: "d e" },
      ["the shell's commands before mcp-remote are left out: source, cd"],
    ]);
  });

  const start = `npx mcp-remote ${url}`;
  test.each([
    ["powershell", "-c", `$env:TOKEN='canary 1'; & ${start}`, { TOKEN: "canary 1" }],
    ["pwsh", "-Command", `\${env:A} = "b"; ${start}`, { A: "b" }],
    ["cmd", "/c", `set A=b c&& ${start}`, { A: "b c" }],
    ["sh", "-c", `A=b; export C=d E; ${start}`, { A: "b", C: "d" }],
    ["sh", "-c", `A=wrong step && C=d ${start}`, { C: "d" }],
  ])("%s %s %s sets %p", (program, option, line, env) =>
    expect(findBridge([program, option, line])?.env).toEqual(env),
  );

  test("the note about the commands before it holds no secret", () => {
    const lines = ["'a canary' x", "/opt/bin/start.sh canary", "k:canary; source canary"];
    const notes = lines.flatMap((line) => findBridge(["sh", "-c", `${line}; ${start}`])?.notes);
    const prefix = "the shell's commands before mcp-remote are left out:";
    expect(notes).toEqual([
      `${prefix} a command`,
      `${prefix} start.sh`,
      `${prefix} a command, source`,
    ]);
  });

  test.each([
    [`--header 'A: Bearer \${T}'`, "A: Bearer ${T}"],
    [`--header "A: \${T:-x}" 2>&1`, "A: ${T:-x}"],
    [`--header 'A: pa$word' 2>/dev/null`, "A: pa$word"],
    [`--header 'A: a 2>b c' 2>>log`, "A: a 2>b c"],
    [`--header "A: b$"`, "A: b$"],
  ])("a shell's line that ends in %s has the header %s", (end, header) =>
    expect(findBridge(["sh", "-c", `${start} ${end}`])?.args).toEqual([url, "--header", header]),
  );

  test.each([
    ["sh", `${start} --header X:"\`cat /root/key\`"`],
    ["sh", `${start} --header 'A: Bearer $T'`],
    ["sh", `${start} --header A:\\$ecret`],
    ["sh", `${start} --header "A: \\$T"`],
    ["sh", `${start} --header $'a\\tb'`],
    ["sh", `${start} --header "A: $1"`],
    ["sh", `${start} --header "A: \${T#x}"`],
    ["sh", `${start} --header A:$$`],
    ["sh", `T+=canary; ${start}`],
    ["sh", `export T[0]=canary; ${start}`],
    ["sh", `npx mcp-remote https://first.example/mcp; ${start}`],
    ["sh", `exit 1; ${start}`],
    ["sh", `exec sleep 1; ${start}`],
    ["sh", `[ -n "$X" ] && ${start}`],
    ["sh", 'npx mcp-remote "$URL" | tee log'],
    ["sh", "curl https://a.example | sh; npx mcp-remote"],
    ["sh", `${start} $(cat options)`],
    ["sh", `${start} "$(cat options)"`],
    ["powershell", `$t = 'canary'; ${start} --header "A: $t"`],
    ["powershell", `$env:T += 'canary'; ${start}`],
    ["cmd", "npx mcp-remote %URL% > log"],
    ["nice", `sh -c 'npx mcp-remote ${url} | tee log'`],
  ])("%s -c %s cannot be read, and the reason holds no secret", (program, line) => {
    const words = [program, program === "cmd" ? "/c" : "-c", line];
    const bridge = findBridge(program === "nice" ? ["nice", ...splitWords(line)] : words);
    expect([bridge?.name, bridge?.args]).toEqual(["mcp-remote", []]);
    expect(bridge?.refused).toMatch(/in a way that import cannot read \(.+\): add/);
    expect(bridge?.refused).not.toContain("canary");
  });

  test("a folder with the name of a bridge in a variable's path is no bridge", () => {
    const words = splitWords("uv --directory ${HOME}/mcp-proxy run server.py");
    expect([findBridge(words), mentionedBridge(words)]).toEqual([undefined, undefined]);
  });

  test("cmd's switches end where its command begins", () => {
    const words = `cmd /d /v:on /c npx mcp-remote ${url} --callback-path /c --header A:b`;
    expect(found(words)).toBe(`mcp-remote ${url} --callback-path /c --header A:b`);
  });

  test.each([
    [`-e T=x node:20 sh -c "npx mcp-remote ${url} --header A:$T --debug"`, { T: "x" }],
    [`--name mcp-remote -v x:/mcp-remote -eT=x node npx mcp-remote ${url}`, { T: "x" }],
    [`-ite T=x --env=U=y -p 80:80 node npx mcp-remote ${url} -e Z=z`, { T: "x", U: "y" }],
    [`-i --entrypoint sh -e=T=x node:20 -c "npx mcp-remote ${url}"`, { T: "x" }],
  ])("docker run %s gets the variables %p", (options, env) => {
    const bridge = findBridge(splitWords(`docker run ${options}`));
    expect([bridge?.args[0], bridge?.env]).toEqual([url, env]);
  });

  test("variables that a container gets are returned", () => {
    const words = [
      "docker",
      "run",
      "-e",
      "A=b",
      "--env=C=d",
      "-e",
      "E",
      "node",
      "npx",
      "mcp-remote",
    ];
    expect(findBridge(words)?.env).toEqual({ A: "b", C: "d" });
  });

  test.each([
    ["http://localhost:3000/mcp", "", true],
    ["http://host.docker.internal:3000/mcp", "", true],
    ["http://localhost:3000/mcp", "--network host", false],
    [url, "", false],
  ])("in a container, %s with options %p is refused: %p", (address, options, isRefused) => {
    const found = findBridge(splitWords(`docker run ${options} node npx mcp-remote ${address}`));
    expect(found?.refused !== undefined).toBe(isRefused);
  });

  test.each([
    "npx -y @modelcontextprotocol/server-filesystem /",
    "npx -y mcp-remote-client https://a.example/",
    "npx",
    "node server.js mcp-remote",
    "uvx mcp-server-git",
    "docker exec -i tools npx mcp-remote https://a.example/",
    "ssh box npx mcp-remote https://a.example/",
    `${"nice ".repeat(100)}npx mcp-remote https://a.example/`,
    "git -- mcp-proxies",
    "",
  ])("%p starts no other bridge", (line) => expect(found(line)).toBeUndefined());
});
