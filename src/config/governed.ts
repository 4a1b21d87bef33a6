import type { MachinePolicy } from "./policy-file.ts";
import { auditOf } from "./rules.ts";
import { needsAllowHttp } from "./server-url.ts";
import type { AuditSettings, ServerSettings, ToolRules } from "./settings.ts";

/** The settings of a server under the machine's policy: allow lists are intersected, every other rule is added up. */
export function governed(settings: ServerSettings, policy: MachinePolicy): ServerSettings {
  const { url, home, tools, audits } = settings;
  const rules = policy.rules.filter(({ origin }) => matchesOrigin(origin, url));
  const ruled = rules.flatMap((rule) => rule.tools ?? []);
  const audited = rules.flatMap(({ audit }) => (audit === undefined ? [] : [auditOf(audit, home)]));
  const merged = [...(tools === undefined ? [] : [tools]), ...ruled];
  const refusal = refusalOf(url, policy);
  return {
    ...settings,
    ...(merged.length > 0 && { tools: merged.reduce(stricter) }),
    audits: withoutTwins([...audits, ...audited]),
    machine: {
      file: policy.file,
      tools: ruled.length === 0 ? undefined : ruled.reduce(stricter),
      audits: audited,
      ownTools: tools,
      ownAudits: audits,
      refusal,
    },
  };
}

/** Why the policy forbids a server. */
function refusalOf(url: URL, { origins, allowHttp }: MachinePolicy): string | undefined {
  if (origins !== undefined && !origins.some((origin) => matchesOrigin(origin, url)))
    return `the policy does not list the origin ${url.origin}`;
  return needsAllowHttp(url) && !allowHttp ? "the policy forbids plain http" : undefined;
}

const pins = [false, true, "terminal"] as const;

function stricter(one: ToolRules, other: ToolRules): ToolRules {
  return {
    allow: [...one.allow, ...other.allow],
    deny: [...one.deny, ...other.deny],
    readOnly: one.readOnly || other.readOnly,
    pin: pins[Math.max(pins.indexOf(one.pin), pins.indexOf(other.pin))]!,
    repair: one.repair || other.repair,
  };
}

const shown: readonly AuditSettings["arguments"][] = ["none", "hash", "full"];

/** One audit for each file, with the fuller arguments. */
function withoutTwins(audits: readonly AuditSettings[]): AuditSettings[] {
  const byFile = new Map<string, AuditSettings>();
  for (const audit of audits) {
    const twin = byFile.get(audit.file);
    const isFuller = shown.indexOf(audit.arguments) > shown.indexOf(twin?.arguments ?? "none");
    if (twin === undefined || isFuller) byFile.set(audit.file, audit);
  }
  return [...byFile.values()];
}

/** Whether a URL is at an origin, or below `https://*.host`; `https://*` is every origin of that scheme, `https://*:8443` every one with that port. */
export function matchesOrigin(origin: string, url: URL): boolean {
  const [scheme, place = ""] = origin.split("://");
  if (`${scheme}:` !== url.protocol || place === "*") return `${scheme}:` === url.protocol;
  // "crm.example.com." is the same host.
  const host = url.hostname.replace(/\.+$/, "");
  const port = url.port === "" ? "" : `:${url.port}`;
  if (!place.startsWith("*.")) return [`${host}${port}`, `*${port}`].includes(place);
  return `${host}${port}`.endsWith(place.slice(1));
}
