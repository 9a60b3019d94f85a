"""What each request needs: decided by method and path in one place, so that a route that forgets to
ask is closed, not open.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.keys import Scope

_OPEN = {"/", "/health", "/ready", "/docs", "/openapi.json", "/favicon.ico"}
_READING_POSTS = {"ask", "search"}
_ADMINS = {"compactions"}
_LOOKS = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Need:
    """The scope that a request needs, and the graph; ``every_graph``: a key to some is too little.

    A need without a graph leaves it to the route to show only what the caller may see.
    """

    scope: Scope
    graph: str | None = None
    every_graph: bool = False


def need(method: str, path: str) -> Need | None:
    """What the request needs; None where anyone may come in. Paths that nobody serves need all."""
    if path in _OPEN or path.startswith("/page/"):
        return None
    looks = method in _LOOKS
    match path.split("/")[1:]:
        case ["v1", "graphs"] if looks:
            return Need("read")
        case ["v1", "graphs", graph]:
            return Need("read" if looks else "admin", graph)
        case ["v1", "graphs", graph, part, *_]:
            return Need(_in_a_graph(method, part), graph)
        case ["v1", "models", *_] | ["v1", "chat", "completions"] | ["mcp"]:
            return Need("read")
        case ["metrics"]:
            return Need("read", every_graph=True)
        case ["v1", "jobs", *_]:
            return Need("read" if looks else "write")
    return Need("admin", every_graph=True)


def _in_a_graph(method: str, part: str) -> Scope:
    if method in _LOOKS or (method == "POST" and part in _READING_POSTS):
        return "read"
    return "admin" if part in _ADMINS else "write"
