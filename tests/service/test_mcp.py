"""The tools for agents, as the official client uses them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from service.app import create_app
from service.keys import KeyRing
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, on_a_port, problem

TOOLS = {"ask", "search", "timeline", "add_fact", "end_fact"}
LEADER = {"subject": "Norland", "relation": "head of government", "object": "Ada Quill"}


async def use(client: Client) -> None:
    listed = await client.list_tools()
    assert {tool.name for tool in listed.tools} == TOOLS
    assert all(tool.description for tool in listed.tools)

    async def call(name: str, **arguments: Any) -> Any:
        result = await client.call_tool(name, arguments)
        assert not result.is_error, result
        return result.structured_content

    added = await call("add_fact", **LEADER, valid_from="2020")
    assert added["items"][0]["outcome"] == "created"
    answer = await call("ask", question="Who leads Norland?")
    assert (answer["answer"], answer["status"]) == ("Ada Quill", "answered")
    assert (await call("search", text="Norland"))["facts"][0]["object"] == "Ada Quill"
    await call("end_fact", fact_id=added["items"][0]["fact"]["id"], at="2024")
    [fact] = (await call("timeline", entity="Norland"))["facts"]
    assert (fact["valid_from"], fact["valid_to"]) == ("2020", "2024")
    refused = await client.call_tool("add_fact", {**LEADER, "valid_from": "2024-13"})
    assert refused.is_error
    assert "no month 13" in str(refused.content)


def test_an_agent_uses_the_tools_over_http(workspace: FakeWorkspace, settings: Settings) -> None:
    async def over(url: str) -> None:
        async with Client(f"{url}/mcp") as client:
            await use(client)

    with on_a_port(create_app(workspace, settings)) as url:
        anyio.run(over, url)


def test_an_agent_uses_the_tools_over_stdio(tmp_path: Path) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tests.service.serve_tools", str(tmp_path)],
        cwd=str(Path(__file__).parents[2]),
    )

    async def over() -> None:
        async with Client(server) as client:
            await use(client)

    anyio.run(over)


def with_key(url: str, secret: str, use: Callable[[Client], Awaitable[None]]) -> None:
    async def over() -> None:
        headers = {"Authorization": f"Bearer {secret}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
        ):
            await use(client)

    anyio.run(over)


def test_a_key_holds_for_the_tools_too(workspace: FakeWorkspace, settings: Settings) -> None:
    _, secret = KeyRing(workspace.path).create("agent", "read", ["default"])
    workspace.graph("theirs", create=True)

    async def refused(client: Client) -> None:
        assert not (await client.call_tool("timeline", {"entity": "Norland"})).is_error
        for name, arguments in (
            ("add_fact", LEADER),
            ("timeline", {"entity": "Norland", "graph": "theirs"}),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error
            assert "key" in str(result.content)

    with on_a_port(create_app(workspace, settings)) as url:
        with_key(url, secret, refused)
    assert workspace.graph().store.revision == 0


def test_nobody_uses_the_tools_without_a_key(http: Http, workspace: FakeWorkspace) -> None:
    KeyRing(workspace.path).create("agent", "read")
    assert http.post("/mcp", {}).status_code == 401


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_odd_requests_to_the_tools_are_refused(http: Http, method: str) -> None:
    problem(http.request(method, "/mcp"), 405, "method_not_allowed")
