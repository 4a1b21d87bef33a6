// $BROWSER of a user who is signed in at the provider: browser.ts URL follows the redirects until the sign-in is done.
const response = await fetch(process.argv.at(-1)!);
process.exit(response.ok ? 0 : 1);
