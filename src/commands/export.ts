import { defineCommand, serversArgument } from "../cli/command.ts";
import { loadConfig, pickServer } from "../config/load.ts";
import { readApproved } from "../upstream/tools/approvals.ts";
import { exportEntry, teamText } from "./import/team-file.ts";

export const command = defineCommand({
  args: { server: serversArgument },
  async run({ server }, context) {
    const config = await loadConfig(context.paths());
    // pickServer throws the error of a configuration without servers.
    if (config.servers.size === 0) pickServer(config);
    const names =
      server.length === 0
        ? [...config.servers.keys()]
        : server.map((name) => pickServer(config, name).name);
    const servers: Record<string, object> = {};
    for (const name of new Set(names)) {
      const entry = config.raw.servers?.[name];
      if (entry === undefined) continue;
      const { entry: exported, variables, notes } = exportEntry(name, entry);
      const settings = config.servers.get(name)!;
      const approved = readApproved(settings.state, settings.url.origin);
      const isPinned = settings.tools !== undefined && settings.tools.pin !== false;
      servers[name] =
        isPinned && approved !== undefined
          ? {
              ...exported,
              approved: [...approved.values()].map(({ name: tool, hash }) => ({
                name: tool,
                hash,
              })),
            }
          : exported;
      for (const note of notes) context.warn(`server "${name}": ${note}`);
      if (variables.length > 0) context.note(`"${name}" needs ${variables.join(", ")}`);
    }
    await context.print(teamText(servers));
    return 0;
  },
});
