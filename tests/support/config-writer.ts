// A process of its own that saves or holds the lock: config-writer.ts HOME hold | add PREFIX COUNT
import { changeConfig } from "../../src/config/save.ts";
import { withLock } from "../../src/platform/lock.ts";
import { homeOf } from "../../src/platform/paths.ts";

const [home = "", action, prefix = "", count = "0"] = process.argv.slice(2);

if (action === "hold") {
  await withLock(home, "config", async () => {
    console.log("held");
    await new Promise(() => {
      // Until this process is killed; the timer keeps it alive.
      setInterval(() => {}, 1000);
    });
  });
} else {
  const paths = homeOf({ CODEX_MCP_BRIDGE_HOME: home });
  for (let at = 0; at < Number(count); at++) {
    await changeConfig(paths, (raw) => {
      raw.servers = { ...raw.servers, [`${prefix}${at}`]: { url: "https://x.example/mcp" } };
    });
    if (at === 0) console.log("saved");
  }
}
