// Serves a folder under https://127.0.0.1:PORT/releases/: bun serve-release.ts FOLDER PORT. Prints a line when it is ready.

import { join } from "node:path";

const [folder = "", port] = process.argv.slice(2);
const certificates = join(import.meta.dir, "../../fault/certificates");
Bun.serve({
  port: Number(port),
  hostname: "127.0.0.1",
  tls: {
    cert: Bun.file(join(certificates, "good.pem")),
    key: Bun.file(join(certificates, "good.key")),
  },
  async fetch({ url }) {
    const file = Bun.file(join(folder, new URL(url).pathname.slice("/releases/".length)));
    return (await file.exists()) ? new Response(file) : new Response("", { status: 404 });
  },
});
console.log("ready");
