// A Windows program that starts another one with a pipe of Windows as its stdin, and writes there what arrives from a
// loopback port: feed.exe PORT PROGRAM [ARGUMENT]... Bun under wine 8 cannot read a pipe of the Unix side.

const [port, ...words] = process.argv.slice(2);
const child = Bun.spawn(words, { stdin: "pipe", stdout: "inherit", stderr: "inherit" });
await Bun.connect({
  hostname: "127.0.0.1",
  port: Number(port),
  socket: {
    data(_, bytes) {
      child.stdin.write(bytes);
      child.stdin.flush();
    },
    end: () => void child.stdin.end(),
  },
});
process.exit(await child.exited);
