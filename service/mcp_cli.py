"""``dysk mcp``: the tools for agents over stdin and stdout, on a data folder or on a service."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from dysk.cli import settings as command_line
from dysk.cli.errors import InputError

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from dysk.client import Dysk
    from dysk.remote import RemoteDysk
    from service.keys import Scope
    from service.mcp_tools import Kind

T = TypeVar("T")
app = typer.Typer()


@app.command()
def mcp(context: typer.Context) -> None:
    """Offer ask, search, timeline, add_fact and end_fact to an agent, over stdin and stdout."""
    try:
        from service.mcp_tools import make_server
    except ModuleNotFoundError:
        raise InputError(
            'the tools for agents need the extra mcp: pip install "dysk[mcp]"'
        ) from None
    logging.basicConfig(stream=sys.stderr)  # stdout carries the protocol
    chosen = command_line.of(context)
    with chosen.opened(create=True) as graph:
        make_server(_OneGraph(graph), "").run("stdio")


class _OneGraph:
    """Reaches the graph chosen on the command line; another one cannot be named."""

    def __init__(self, graph: Dysk | RemoteDysk) -> None:
        self._graph = graph

    async def run(
        self,
        context: Context[Any, Any],
        graph: str,
        kind: Kind,
        scope: Scope,
        work: Callable[[Dysk | RemoteDysk], T],
    ) -> T:
        """See service.mcp_tools.Access."""
        from anyio.to_thread import run_sync

        if graph not in ("default", self._graph.name):
            raise InputError(f"these tools work on the graph {self._graph.name!r} alone")
        return await run_sync(lambda: work(self._graph))
