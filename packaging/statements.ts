// The bill of materials (CycloneDX 1.6) and the provenance (in-toto, SLSA provenance 1) of a release.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Release, root } from "./release-facts.ts";

interface Lock {
  packages: Record<string, { version?: string; integrity?: string; license?: string }>;
}

const lock = (): Lock => JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));

/** Names of the bundled npm packages, from the input paths in the build's metafile. */
export function bundledPackages(inputs: readonly string[]): string[] {
  const names = inputs.flatMap(
    (path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.slice(1) ?? [],
  );
  return [...new Set(names)].sort();
}

/** SHA-512 in hexadecimal, from an `integrity` value of npm's lock file. */
const sha512Of = (integrity: string) =>
  Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");

/** The bill of materials (CycloneDX 1.6): every bundled package, and Bun as the runtime. */
export function billOfMaterials(release: Release, bundled: readonly string[], bun: string): string {
  const { packages } = lock();
  const component = (name: string) => {
    const { version, integrity = "", license } = packages[`node_modules/${name}`] ?? {};
    if (version === undefined) throw new Error(`package-lock.json does not contain ${name}`);
    const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
    return {
      type: "library",
      "bom-ref": purl,
      name,
      version,
      purl,
      hashes: [{ alg: "SHA-512", content: sha512Of(integrity) }],
      ...(license !== undefined && { licenses: [{ license: { id: license } }] }),
    };
  };
  const runtime = {
    type: "platform",
    "bom-ref": `pkg:npm/bun@${bun}`,
    name: "bun",
    version: bun,
    purl: `pkg:npm/bun@${bun}`,
    licenses: [{ license: { id: "MIT" } }],
  };
  const own = `pkg:generic/codex-mcp-http-bridge@${release.version}`;
  const components = [...bundled.map(component), runtime];
  const bom = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(`${own} ${release.commit}`)}`,
    version: 1,
    metadata: {
      timestamp: timeOf(release),
      component: {
        type: "application",
        "bom-ref": own,
        name: "codex-mcp-http-bridge",
        version: release.version,
        purl: own,
        licenses: [{ license: { id: "MIT" } }],
      },
    },
    components,
    dependencies: [{ ref: own, dependsOn: components.map((each) => each["bom-ref"]) }],
  };
  return `${JSON.stringify(bom, null, 2)}\n`;
}

const timeOf = ({ seconds }: Release) =>
  new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

/** A UUID of version 8 (RFC 9562 5.8), derived from the text. */
function uuidOf(text: string): string {
  const hash = createHash("sha256").update(text).digest().subarray(0, 16);
  hash[6] = (hash[6]! & 0x0f) | 0x80;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  return hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** A file of the release. */
export interface Subject {
  readonly name: string;
  readonly sha256: string;
}

/** How the executables were built. */
export interface Build {
  /** Names of the npm packages that contain Bun for each platform. */
  readonly runtimes: readonly string[];
  readonly bun: string;
  /** The `./build.sh` command line for each platform. */
  readonly commands: readonly string[];
}

/** The provenance statement: in-toto statement 1 with predicate SLSA provenance 1.0. */
export function provenance(release: Release, subjects: readonly Subject[], build: Build): string {
  const { packages } = lock();
  const runtimeLock: Lock = JSON.parse(
    readFileSync(join(root, "packaging/runtimes/package-lock.json"), "utf8"),
  );
  const material = (name: string, entry: Lock["packages"][string] | undefined) => {
    if (entry?.integrity === undefined) throw new Error(`no lock file contains ${name}`);
    return {
      uri: `pkg:npm/${name.replace("@", "%40")}@${entry.version}`,
      digest: { sha512: sha512Of(entry.integrity) },
    };
  };
  const dependencies = Object.entries(packages)
    .filter(([path, entry]) => path !== "" && !("dev" in entry))
    .map(([path, entry]) => material(path.replace(/.*node_modules\//, ""), entry));
  const runtimes = build.runtimes.map((name) =>
    material(name, runtimeLock.packages[`node_modules/${name}`]),
  );
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: `${release.address}/build-types/release-sh/v1`,
        externalParameters: { commit: release.commit, commands: build.commands },
        internalParameters: { bun: build.bun },
        resolvedDependencies: [
          {
            uri: `git+${release.address}@${release.commit}`,
            digest: { gitCommit: release.commit },
          },
          ...dependencies,
          ...runtimes,
        ],
      },
      runDetails: { builder: { id: `${release.address}/builders/release-sh` } },
    },
  };
  return `${JSON.stringify(statement)}\n`;
}
