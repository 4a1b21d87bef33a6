import { hostname } from "node:os";
import type { Context } from "../../cli/command.ts";
import type { Prepared } from "../../oauth/sign-in/prepare.ts";
import type { SignInMethodOptions } from "../../oauth/sign-in/sign-in.ts";
import { cleanText, shellWord } from "../../wire/text.ts";

export interface LoginMethods {
  readonly context: Context;
  /** Opens a page in a browser of this machine; false if no browser could be opened. */
  readonly open: (url: URL) => Promise<boolean>;
  /** Whether stdin is a terminal. */
  readonly isInteractive: boolean;
}

/** The lines of stdin, terminal or pipe, without their ends; at most 64 KiB each. */
async function* stdinLines(): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of Bun.stdin.stream() as unknown as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(chunk, { stream: true });
    for (let at = rest.indexOf("\n"); at >= 0; at = rest.indexOf("\n")) {
      yield rest.slice(0, at).replace(/\r$/, "");
      rest = rest.slice(at + 1);
    }
    if (rest.length > 64 * 1024) return;
  }
  if (rest !== "") yield rest;
}

/** The lines of stdin, or none if `mayRead` returns false when the first line is asked for. */
async function* linesIf(mayRead: () => boolean) {
  if (mayRead()) yield* stdinLines();
}

/** The sign-in methods of `login`: browser, pasted address and device code are offered together; the first to succeed ends the sign-in. */
export function loginMethods(
  prepared: Prepared,
  { context, open, isInteractive }: LoginMethods,
): SignInMethodOptions {
  const { note, print, env } = context;
  const { name } = prepared.context.server;
  const isDeviceOnly = prepared.context.auth.grant === "device_code";
  let isBrowserOpen = false;
  return {
    device: "also",
    // Without a terminal, stdin is read only if no browser was opened: a script may write the redirect address to it.
    pasted: linesIf(() => isInteractive || !isBrowserOpen),
    onFailure: (error) => note(cleanText(error.message)),
    async showUrl(url, port) {
      isBrowserOpen = await open(url);
      if (isBrowserOpen) {
        note(`Sign in to "${name}" in the browser window that has opened.`);
        note(`If no window has opened, open this address:\n\n${url.href}\n`);
        return true;
      }
      // On stdout, since a script that runs `login` reads it.
      await print(`${url.href}\n`);
      note(`\nOpen the address above in a browser, on any machine, to sign in to "${name}".`);
      note(
        "Then paste the address of the last page that the browser shows (the page may fail to load).",
      );
      if (port === undefined) return false;
      const user = env.USER ?? env.LOGNAME;
      const target = `${user === undefined ? "" : `${user}@`}${hostname()}`;
      note(
        `To sign in without pasting, first run this command on the machine of the browser:\n\n  ssh -N -L ${port}:127.0.0.1:${port} ${shellWord(target)}\n`,
      );
      return false;
    },
    async showDevice({ url, completeUrl, userCode }) {
      if (isDeviceOnly) await print(`${(completeUrl ?? url).href}\n`);
      note(
        `${isDeviceOnly ? "Open" : "Or open"} ${url.href} on any device and type in the code ${userCode}`,
      );
    },
  };
}
