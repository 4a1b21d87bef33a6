// A container image as an OCI layout, made without a daemon: the executable and the glibc libraries that it needs.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { type Entry, gzip, tar, textEntry } from "./archives.ts";
import type { Platform } from "./platforms.ts";
import type { Release } from "./release-facts.ts";

/** The image's default user; the image runs as any other user, too. */
const uid = 65532;
const home = "/home/nonroot";

/** Folders of glibc for each architecture: `from` on the build machine (Debian's libc6 and libc6-arm64-cross), `to` in the image. */
const libraries = {
  amd64: {
    from: "/lib/x86_64-linux-gnu",
    to: "lib/x86_64-linux-gnu",
    loader: "lib64/ld-linux-x86-64.so.2",
  },
  arm64: {
    from: "/usr/aarch64-linux-gnu/lib",
    to: "lib/aarch64-linux-gnu",
    loader: "lib/ld-linux-aarch64.so.1",
  },
} as const;
const needed = [
  "libc.so.6",
  "libdl.so.2",
  "libm.so.6",
  "libpthread.so.0",
  "libnss_dns.so.2",
  "libnss_files.so.2",
  "libresolv.so.2",
];

/** Whether the build machine has the glibc that an image for the platform needs. */
export function canMakeImage({ debian }: Platform): boolean {
  return debian !== undefined && existsSync(`${libraries[debian].from}/libc.so.6`);
}

function baseLayer({ debian }: Platform, seconds: number): Buffer {
  const { from, to, loader } = libraries[debian!];
  const file = (path: string, source: string): Entry => ({
    path,
    bytes: readFileSync(source),
    isExecutable: true,
  });
  const name = loader.slice(loader.lastIndexOf("/") + 1);
  const entries = [
    textEntry("etc/group", `root:x:0:\nnonroot:x:${uid}:\n`),
    textEntry("etc/nsswitch.conf", "hosts: files dns\n"),
    textEntry(
      "etc/passwd",
      `root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:${uid}:${uid}:nonroot:${home}:/sbin/nologin\n`,
    ),
    ...needed.map((each) => file(`${to}/${each}`, `${from}/${each}`)),
    file(loader, `${from}/${name}`),
  ];
  const folders = [
    { path: home.slice(1), mode: 0o700, uid },
    { path: "tmp", mode: 0o1777 },
    // Mount points: some container runtimes cannot create them on a read-only root.
    { path: "dev", mode: 0o755 },
    { path: "proc", mode: 0o555 },
  ];
  return gzip(tar(entries, { seconds, withFolders: true, folders }));
}

/** The files of an OCI image layout 1.0 for all platforms, with paths relative to the layout. */
export function imageLayout(
  release: Release,
  built: readonly { readonly platform: Platform; readonly program: Uint8Array }[],
): Entry[] {
  const blobs = new Map<string, Entry>();
  const add = (bytes: Uint8Array, mediaType: string) => {
    const hash = createHash("sha256").update(bytes).digest("hex");
    blobs.set(hash, { path: `blobs/sha256/${hash}`, bytes });
    return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
  };
  const addJson = (value: unknown, mediaType: string) =>
    add(new TextEncoder().encode(JSON.stringify(value)), mediaType);
  const created = new Date(release.seconds * 1000).toISOString().replace(".000Z", "Z");
  const labels = {
    "org.opencontainers.image.description": release.description,
    "org.opencontainers.image.licenses": "MIT",
    "org.opencontainers.image.revision": release.commit,
    "org.opencontainers.image.title": "codex-mcp-http-bridge",
    "org.opencontainers.image.version": release.version,
  };
  const manifests = built.map(({ platform, program }) => {
    const path = "usr/bin/codex-mcp-http-bridge";
    const files = [
      { path, bytes: program, isExecutable: true },
      ...release.licences.map((licence) => ({
        ...licence,
        path: `usr/share/doc/codex-mcp-http-bridge/${licence.path}`,
      })),
    ];
    const layers = [
      baseLayer(platform, release.seconds),
      gzip(tar(files, { seconds: release.seconds, withFolders: true })),
    ];
    const architecture = platform.debian!;
    const config = addJson(
      {
        created,
        architecture,
        os: "linux",
        config: {
          User: `${uid}:${uid}`,
          Env: ["PATH=/usr/bin", `HOME=${home}`],
          Entrypoint: [`/${path}`],
          WorkingDir: "/",
          Labels: labels,
        },
        rootfs: {
          type: "layers",
          diff_ids: layers.map(
            (layer) =>
              `sha256:${createHash("sha256")
                .update(Bun.gunzipSync(new Uint8Array(layer)))
                .digest("hex")}`,
          ),
        },
        history: layers.map((_, index) => ({
          created,
          created_by: index === 0 ? "glibc, users, folders" : "codex-mcp-http-bridge",
        })),
      },
      "application/vnd.oci.image.config.v1+json",
    );
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config,
      layers: layers.map((layer) => add(layer, "application/vnd.oci.image.layer.v1.tar+gzip")),
      annotations: labels,
    };
    return {
      ...addJson(manifest, manifest.mediaType),
      platform: { architecture, os: "linux" },
      annotations: { "org.opencontainers.image.ref.name": `${release.version}-${architecture}` },
    };
  });
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: manifests.map(({ annotations: _, ...manifest }) => manifest),
  };
  const all = addJson(index, index.mediaType);
  const named = { ...all, annotations: { "org.opencontainers.image.ref.name": release.version } };
  return [
    textEntry("oci-layout", '{"imageLayoutVersion":"1.0.0"}\n'),
    textEntry(
      "index.json",
      `${JSON.stringify({ ...index, manifests: [named, ...manifests] }, null, 2)}\n`,
    ),
    ...blobs.values(),
  ];
}
