// A healthy server in a process of its own, so that it can be stopped by SIGSTOP. Prints its URL.
import { FaultServer } from "./server.ts";

const server = new FaultServer({ sessions: true }).start();
console.log(server.url);
process.on("SIGUSR1", () => console.log(JSON.stringify([...server.executed])));
