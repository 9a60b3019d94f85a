"""What the doctor asks a running service: does it answer, is it ready, may this key come in?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from urllib.parse import quote

import httpx

from dysk.cli.findings import Finding

_PATIENCE = 10.0
_MOST_SKEW = 60.0
"""Seconds by which two clocks may differ."""
_SOON = ("loading", "not loaded")


def examine(url: str, api_key: str | None, graph: str) -> Iterator[Finding]:
    """The address, then each part of the service, then the graph."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=_PATIENCE) as client:
            alive = client.get("/health")
            if not _is_dysk(alive):
                mend = "check the address: what answers there is another program"
                yield Finding("service", "fail", f"{url} answered {alive.status_code}", mend)
                return
            yield Finding("service", "ok", url)
            if api_key:
                yield _secrecy(client.base_url)
            yield _clock(alive)
            yield _version(client.get("/openapi.json"))
            yield from _parts(client.get("/ready"))
            yield _graph(client.get(f"/v1/graphs/{quote(graph, safe='')}"), graph)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
        mend = "write the address as http://HOST:PORT"
        yield Finding("service", "fail", f"{url}: {error}", mend)
    except httpx.TransportError as error:
        mend = "start it with `dysk serve` on that machine, and check host, port and firewall"
        yield Finding("service", "fail", f"{url} does not answer: {error}", mend)


def _is_dysk(reply: httpx.Response) -> bool:
    try:
        return bool(reply.is_success and reply.json() == {"status": "ok"})
    except ValueError:
        return False


def _secrecy(url: httpx.URL) -> Finding:
    """Who could read the key on its way?"""
    try:
        near = url.host == "localhost" or ip_address(url.host).is_loopback
    except ValueError:
        near = False
    if url.scheme == "https" or near:
        return Finding("key", "ok", "encrypted on its way" if not near else "stays on this machine")
    mend = "put TLS in front of the service and use https (docs/deployment.md)"
    return Finding("key", "warn", "sent in the clear to another machine", mend)


def _clock(reply: httpx.Response) -> Finding:
    try:
        theirs = parsedate_to_datetime(reply.headers["date"])
    except (KeyError, ValueError):
        return Finding("clock", "ok", "the service does not tell its time")
    apart = abs((theirs - datetime.now(UTC)).total_seconds())
    if apart > _MOST_SKEW:
        mend = "set the clock that is wrong: questions about now are answered by the service's"
        return Finding("clock", "warn", f"{apart:.0f} s apart from this machine's", mend)
    return Finding("clock", "ok", "agrees with this machine's")


def _version(reply: httpx.Response) -> Finding:
    try:
        ours = version("dysk")
    except PackageNotFoundError:
        ours = "source tree"
    theirs = reply.json()["info"]["version"] if reply.is_success else "unknown"
    if theirs != ours:
        mend = "nothing, while all works; else install the same version on both"
        return Finding("version", "warn", f"{theirs}, and {ours} here", mend)
    return Finding("version", "ok", theirs)


def _parts(reply: httpx.Response) -> Iterator[Finding]:
    for part, state in reply.json().get("parts", {}).items():
        if state == "ok":
            yield Finding(part, "ok", "ready")
        elif state in _SOON:
            yield Finding(part, "warn", state, "wait: models load in the background after a start")
        else:
            yield Finding(part, "fail", state, "run dysk doctor on the machine of the service")


def _graph(reply: httpx.Response, graph: str) -> Finding:
    if reply.is_success:
        state = reply.json()
        found = f"{graph}: {state['facts']} facts, revision {state['revision']}"
        return Finding("graph", "ok", found)
    mend = {
        401: "set DYSK_API_KEY to a key that `dysk keys create` printed on that machine",
        403: f"have a key made that is for this graph: `dysk keys create NAME --graph {graph}`",
        404: "create it, or name another one with --graph",
    }.get(reply.status_code, "look into the service's log, and at its other parts above")
    try:
        detail = reply.json()["detail"]
    except (ValueError, LookupError):
        detail = f"the service answered {reply.status_code}"
    return Finding("graph", "fail", detail, mend)
