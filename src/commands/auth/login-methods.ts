import { hostname } from "node:os";
import type { Context } from "../../cli/command.ts";
import type { Prepared } from "../../oauth/sign-in/prepare.ts";
import type { SignInMethodOptions } from "../../oauth/sign-in/sign-in.ts";
import { cleanText, shellWord } from "../../wire/text.ts";

export interface LoginMethods {
  readonly context: Context;
  /** Opens the page in a browser of this machine; false where that did not work. */
  readonly open: (url: URL) => Promise<boolean>;
  /** Whether a person is at stdin. */
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

async function* linesWhere(isRead: () => boolean) {
  if (isRead()) yield* stdinLines();
}

/** How `login` shows the methods of a sign-in: all at once, and the first that succeeds counts. */
export function loginMethods(
  prepared: Prepared,
  { context, open, isInteractive }: LoginMethods,
): SignInMethodOptions {
  const { note, print, env } = context;
  const { name } = prepared.context.server;
  const isDeviceOnly = prepared.context.auth.grant === "device_code";
  let isOpen = false;
  return {
    device: "also",
    // Without a terminal stdin is read only where no browser opened: a script may paste the response.
    pasted: linesWhere(() => isInteractive || !isOpen),
    onFailure: (error) => note(cleanText(error.message)),
    async showUrl(url, port) {
      isOpen = await open(url);
      if (isOpen) {
        note(`Sign in to "${name}" in the browser window that has opened.`);
        note(`If none has, open this address:\n\n${url.href}\n`);
        return true;
      }
      // On stdout, since a script that runs `login` reads it.
      await print(`${url.href}\n`);
      note(`\nOpen the address above in a browser, on any machine, to sign in to "${name}".`);
      note(
        "Then paste the address that the browser ends at here (the page itself may fail to load).",
      );
      if (port === undefined) return false;
      const user = env.USER ?? env.LOGNAME;
      const target = `${user === undefined ? "" : `${user}@`}${hostname()}`;
      note(
        `No pasting is needed if the browser's machine first runs:\n\n  ssh -N -L ${port}:127.0.0.1:${port} ${shellWord(target)}\n`,
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
