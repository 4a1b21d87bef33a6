"""An MCP server with three tools, of the framework that is installed: server.py mcp|fastmcp [stdio|oauth]

Listens on a free port of 127.0.0.1 and prints its URL, or speaks stdio. With `oauth` the framework's own
authorization server guards it.
"""

import secrets
import socket
import sys
import time
from importlib.metadata import version

import uvicorn
from pydantic import BaseModel

framework, *modes = sys.argv[1:]
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
major = int(version(framework).split(".")[0])
lifetime_seconds = 3600


class Name(BaseModel):
    name: str


def mcp_provider():
    """The least that the SDK's authorization server needs: it keeps everything in memory and approves at once."""
    from mcp.server.auth.provider import (
        AccessToken,
        AuthorizationCode,
        RefreshToken,
        construct_redirect_uri,
    )
    from mcp.shared.auth import OAuthToken

    class Provider:
        def __init__(self):
            self.clients, self.codes, self.access, self.refresh = {}, {}, {}, {}

        async def get_client(self, client_id):
            return self.clients.get(client_id)

        async def register_client(self, client_info):
            self.clients[client_info.client_id] = client_info

        async def authorize(self, client, params):
            code = secrets.token_urlsafe(24)
            self.codes[code] = AuthorizationCode(
                code=code,
                client_id=client.client_id,
                scopes=params.scopes or [],
                expires_at=time.time() + 60,
                code_challenge=params.code_challenge,
                redirect_uri=params.redirect_uri,
                redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
                resource=params.resource,
            )
            return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

        async def load_authorization_code(self, client, authorization_code):
            return self.codes.get(authorization_code)

        async def exchange_authorization_code(self, client, authorization_code):
            del self.codes[authorization_code.code]
            return self.issue(client, authorization_code.scopes, authorization_code.resource)

        async def load_refresh_token(self, client, refresh_token):
            return self.refresh.get(refresh_token)

        async def exchange_refresh_token(self, client, refresh_token, scopes):
            del self.refresh[refresh_token.token]
            return self.issue(client, scopes, None)

        async def load_access_token(self, token):
            found = self.access.get(token)
            return found if found is not None and found.expires_at > time.time() else None

        async def revoke_token(self, token):
            self.access.pop(token.token, None)
            self.refresh.pop(token.token, None)

        def issue(self, client, scopes, resource):
            access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
            self.access[access] = AccessToken(
                token=access,
                client_id=client.client_id,
                scopes=scopes,
                expires_at=int(time.time()) + lifetime_seconds,
                resource=resource,
            )
            self.refresh[refresh] = RefreshToken(
                token=refresh, client_id=client.client_id, scopes=scopes
            )
            return OAuthToken(
                access_token=access,
                token_type="Bearer",
                expires_in=lifetime_seconds,
                refresh_token=refresh,
                scope=" ".join(scopes),
            )

    return Provider()


def mcp_options():
    from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions

    return {
        "auth_server_provider": mcp_provider(),
        "auth": AuthSettings(
            issuer_url=origin,
            resource_server_url=f"{origin}/mcp",
            required_scopes=["read"],
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=["read"], default_scopes=["read"]
            ),
            revocation_options=RevocationOptions(enabled=True),
        ),
    }


def fastmcp_options():
    from fastmcp.server.auth.auth import ClientRegistrationOptions, RevocationOptions
    from fastmcp.server.auth.providers import in_memory

    return {
        "auth": in_memory.InMemoryOAuthProvider(
            base_url=origin,
            required_scopes=["read"],
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=["read"]
            ),
            revocation_options=RevocationOptions(enabled=True),
        )
    }


if framework == "fastmcp":
    from fastmcp import Context, FastMCP as Server

    options = fastmcp_options() if "oauth" in modes else {}
elif major == 1:
    from mcp.server.fastmcp import Context, FastMCP as Server

    options = mcp_options() if "oauth" in modes else {}
else:
    from mcp.server.mcpserver import Context, MCPServer as Server

    options = mcp_options() if "oauth" in modes else {}

server = Server("interop", **options)


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
async def log(ctx: Context) -> str:
    """Sends a log message before its result."""
    await ctx.info("working")
    return "logged"


@server.tool()
async def ask(ctx: Context) -> str:
    """Asks the user for a name."""
    if framework == "fastmcp":
        answer = await ctx.elicit("Who are you?", response_type=Name)
    else:
        answer = await ctx.elicit(message="Who are you?", schema=Name)
    return f"hello {answer.data.name}"


if "stdio" in modes:
    server.run("stdio")
else:
    app = server.http_app() if framework == "fastmcp" else server.streamable_http_app()
    print(f"{origin}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
