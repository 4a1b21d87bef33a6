/** A user without a browser: keeps cookies, follows the provider's pages and submits their forms. */
class Agent {
  readonly #cookies = new Map<string, string>();

  async request(url: URL, form?: Record<string, string>): Promise<Response> {
    const response = await fetch(url, {
      method: form === undefined ? "GET" : "POST",
      redirect: "manual",
      // The browser of a test trusts any certificate: the bridge's trust is tried, not its.
      tls: { rejectUnauthorized: false },
      headers: {
        accept: "text/html",
        cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; "),
        ...(form !== undefined && { "content-type": "application/x-www-form-urlencoded" }),
      },
      ...(form !== undefined && { body: new URLSearchParams(form).toString() }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      const at = pair.indexOf("=");
      const value = pair.slice(at + 1);
      if (value === "") this.#cookies.delete(pair.slice(0, at));
      else this.#cookies.set(pair.slice(0, at), value);
    }
    return response;
  }
}

interface Form {
  readonly action: string;
  readonly fields: Record<string, string>;
}

function formIn(page: string): Form | undefined {
  const action = /<form[^>]*\baction="([^"]*)"/.exec(page)?.[1];
  if (action === undefined) return undefined;
  const plain = (text: string) => text.replaceAll("&amp;", "&");
  const fields: Record<string, string> = {};
  for (const [tag] of page.matchAll(/<input[^>]*>/g)) {
    const name = /\bname="([^"]*)"/.exec(tag)?.[1];
    if (name !== undefined) fields[name] = /\bvalue="([^"]*)"/.exec(tag)?.[1] ?? "";
  }
  return { action: plain(action), fields };
}

async function walk(
  start: URL,
  first: Record<string, string> | undefined,
  account: string,
  agent: Agent,
): Promise<URL | string> {
  let url = start;
  let form = first;
  for (let step = 0; step < 20; step++) {
    const response = await agent.request(url, form);
    form = undefined;
    const location = response.headers.get("location");
    if (location !== null) {
      const next = new URL(location, url);
      await response.body?.cancel();
      if (next.origin !== start.origin) return next;
      url = next;
      continue;
    }
    const page = await response.text();
    const found = formIn(page);
    if (found === undefined || response.status >= 400) return page;
    url = new URL(found.action, url);
    form = found.fields;
    const user = ["login", "username"].find((name) => name in found.fields);
    if (user !== undefined) form = { ...form, [user]: account, password: "any" };
  }
  throw new Error(`the user is lost at ${url}`);
}

/** Signs in and consents; resolves to the redirect the browser would follow, not requested yet. */
export async function approve(authorizationUrl: string | URL, account = "ada"): Promise<URL> {
  const end = await walk(new URL(authorizationUrl), undefined, account, new Agent());
  if (end instanceof URL) return end;
  throw new Error(`no redirect came, but: ${end.slice(0, 500)}`);
}

/** Signs in and consents, then follows the redirect to the bridge's listener; resolves to the page shown there. */
export async function approveInBrowser(authorizationUrl: string | URL, account = "ada") {
  const response = await fetch(await approve(authorizationUrl, account), { redirect: "manual" });
  return { status: response.status, headers: response.headers, page: await response.text() };
}

/** Enters the code at the verification page, signs in and consents (or refuses). */
export async function approveDevice(
  verificationUri: string,
  userCode: string,
  options: { account?: string; refuse?: boolean } = {},
): Promise<void> {
  const agent = new Agent();
  const url = new URL(verificationUri);
  url.search = "";
  const page = await (await agent.request(url)).text();
  const form = formIn(page);
  if (form === undefined) throw new Error(`no form at ${verificationUri}`);
  const fields = { ...form.fields, user_code: userCode };
  if (options.refuse) {
    await agent.request(url, { ...fields, abort: "yes" });
    return;
  }
  const end = await walk(new URL(form.action, url), fields, options.account ?? "ada", agent);
  if (end instanceof URL || !/success/i.test(end)) {
    throw new Error(`the device was not approved: ${String(end).slice(0, 500)}`);
  }
}
