import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A package that the registry serves. */
export interface PublishedPackage {
  readonly name: string;
  /** Path of the package's archive, made by `npm pack`. */
  readonly file: string;
}

/** Serves an npm registry on loopback with one version of each package. */
export function startRegistry(packages: readonly PublishedPackage[]) {
  const byName = new Map(packages.map(({ name, file }) => [name, readFileSync(file)]));
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch({ url }) {
      const { origin, pathname } = new URL(url);
      const [, name = "", archive] = pathname.split("/");
      const bytes = byName.get(name);
      if (bytes === undefined) return new Response("{}", { status: 404 });
      if (archive !== undefined) return new Response(bytes);
      const files = await new Bun.Archive(bytes).files();
      const manifest = JSON.parse(await files.get("package/package.json")!.text());
      const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
      const dist = { tarball: `${origin}/${name}/archive.tgz`, integrity };
      return Response.json({
        name,
        "dist-tags": { latest: manifest.version },
        versions: { [manifest.version]: { ...manifest, dist } },
      });
    },
  });
  return { url: server.url.href, [Symbol.asyncDispose]: () => server.stop(true) };
}
