"""Lets Codex, or any MCP client that speaks stdio, use remote MCP servers over HTTPS."""
