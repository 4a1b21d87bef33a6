import { cleanText } from "../../wire/text.ts";

const style = `:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center}
main{max-width:30rem;padding:1.5rem;text-align:center}
h1{font-size:1.4rem;margin:.5rem 0}
p{margin:.5rem 0;overflow-wrap:anywhere}
.mark{font-size:2.5rem;line-height:1}`;

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => escapes[sign] ?? "");

/** The page that the browser shows at the end of a sign-in, and a Content-Security-Policy that lets it load nothing. */
export function callbackPage(
  outcome: { readonly ok: true } | { readonly ok: false; readonly reason: string },
  server: string,
): { readonly html: string; readonly policy: string } {
  const title = outcome.ok ? "You are signed in" : "The sign-in did not work";
  const detail = outcome.ok
    ? `Server “${escaped(server)}” is ready. You can close this tab.`
    : `${escaped(cleanText(outcome.reason, 300))} You can close this tab.`;
  const hash = new Bun.CryptoHasher("sha256").update(style).digest("base64");
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<main>
<div class="mark" aria-hidden="true">${outcome.ok ? "✓" : "✗"}</div>
<h1>${title}</h1>
<p>${detail}</p>
</main>
</body>
</html>
`;
  return {
    html,
    policy: `default-src 'none'; style-src 'sha256-${hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
  };
}
