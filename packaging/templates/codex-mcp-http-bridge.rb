# Homebrew formula, filled by scripts/release.sh.
class CodexMcpHttpBridge < Formula
  desc "Lets MCP clients that speak stdio use remote MCP servers over HTTPS"
  homepage "@ADDRESS@"
  version "@VERSION@"
  license "MIT"

  on_macos do
    on_arm do
      url "@ADDRESS@/codex-mcp-http-bridge-@VERSION@-darwin-arm64.tar.gz"
      sha256 "@SHA256 codex-mcp-http-bridge-@VERSION@-darwin-arm64.tar.gz@"
    end
    on_intel do
      url "@ADDRESS@/codex-mcp-http-bridge-@VERSION@-darwin-x64.tar.gz"
      sha256 "@SHA256 codex-mcp-http-bridge-@VERSION@-darwin-x64.tar.gz@"
    end
  end
  on_linux do
    on_arm do
      url "@ADDRESS@/codex-mcp-http-bridge-@VERSION@-linux-arm64.tar.gz"
      sha256 "@SHA256 codex-mcp-http-bridge-@VERSION@-linux-arm64.tar.gz@"
    end
    on_intel do
      url "@ADDRESS@/codex-mcp-http-bridge-@VERSION@-linux-x64.tar.gz"
      sha256 "@SHA256 codex-mcp-http-bridge-@VERSION@-linux-x64.tar.gz@"
    end
  end

  def install
    bin.install "codex-mcp-http-bridge"
    man1.install "man/codex-mcp-http-bridge.1"
    bash_completion.install "completions/codex-mcp-http-bridge.bash" => "codex-mcp-http-bridge"
    zsh_completion.install "completions/_codex-mcp-http-bridge"
    fish_completion.install "completions/codex-mcp-http-bridge.fish"
  end

  test do
    system bin/"codex-mcp-http-bridge", "demo"
  end
end
