"""Lists the tools of a stdio server and calls `add`, with the client that is named: client.py KIND COMMAND [WORD...]

Prints {"tools": [...], "sum": "5"}.
"""

import asyncio
import json
import os
import sys

kind, command, *words = sys.argv[1:]
env = dict(os.environ)
arguments = {"a": 2, "b": 3}


async def with_mcp():
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    parameters = StdioServerParameters(command=command, args=words, env=env)
    async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        result = await session.call_tool("add", arguments)
        return tools, result.content[0].text


async def with_fastmcp():
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    async with Client(StdioTransport(command, words, env=env)) as client:
        tools = [tool.name for tool in await client.list_tools()]
        result = await client.call_tool("add", arguments)
        return tools, result.content[0].text


async def with_pydantic_ai():
    from fastmcp.client import Client
    from fastmcp.client.transports import StdioTransport
    from pydantic_ai.mcp import MCPToolset

    async with MCPToolset(Client(StdioTransport(command, words, env=env))) as server:
        tools = [tool.name for tool in await server.list_tools()]
        return tools, str(await server.direct_call_tool("add", arguments))


async def with_openai_agents():
    from agents.mcp import MCPServerStdio

    parameters = {"command": command, "args": words, "env": env}
    # Its own limit is 5 s, too short for a machine that runs other suites.
    async with MCPServerStdio(params=parameters, client_session_timeout_seconds=60) as server:
        tools = [tool.name for tool in await server.list_tools()]
        result = await server.call_tool("add", arguments)
        return tools, result.content[0].text


kinds = {
    "mcp": with_mcp,
    "fastmcp": with_fastmcp,
    "pydantic-ai": with_pydantic_ai,
    "openai-agents": with_openai_agents,
}
tools, total = asyncio.run(kinds[kind]())
print(json.dumps({"tools": tools, "sum": total}))
