"""python -m codex_mcp_http_bridge ...: starts the executable that this package installed."""

import os
import subprocess
import sys
import sysconfig

NAME = "codex-mcp-http-bridge" + (".exe" if os.name == "nt" else "")


def find_executable():
    """Path of the executable, in the scripts folder of this Python, of its user scheme, or of a --target install."""
    folders = [sysconfig.get_path("scripts")]
    user_scheme = sysconfig.get_preferred_scheme("user") if hasattr(sysconfig, "get_preferred_scheme") else (
        "nt_user" if os.name == "nt" else "posix_user"
    )
    folders.append(sysconfig.get_path("scripts", scheme=user_scheme))
    package = os.path.dirname(os.path.abspath(__file__))
    folders.append(os.path.join(os.path.dirname(package), "bin"))
    for folder in folders:
        path = os.path.join(folder, NAME)
        if os.path.isfile(path):
            return path
    sys.stderr.write(
        "error: %s is not installed in %s\nhint: pip install --force-reinstall codex-mcp-http-bridge\n"
        % (NAME, " or ".join(folders))
    )
    sys.exit(1)


def main():
    path = find_executable()
    words = [path] + sys.argv[1:]
    # The last tier of Bun's compiler costs more than it gains here (docs/performance.md).
    os.environ.setdefault("BUN_JSC_useFTLJIT", "0")
    if os.name != "nt":
        os.execv(path, words)
    # Windows has no exec: run a child with the same console and standard streams, and exit with its exit code.
    sys.exit(subprocess.call(words))


if __name__ == "__main__":
    main()
