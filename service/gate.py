"""The gate that every request passes before any route: its Host, its key, its rate.

Pure ASGI. What a request needs is decided in ``service.access``.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dysk.errors import DyskError
from service.access import need
from service.errors import Problem, refusal
from service.keys import Caller, KeyRing

CALLERS_REMEMBERED = 10_000
"""Callers whose rate is kept; the one unseen for longest is forgotten, and may begin anew."""


class RateLimit:
    """A bucket of tokens for each caller: ``per_minute`` requests a minute, as many of them at once
    as ten seconds' worth.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._most = max(1.0, per_minute / 6)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str) -> float:
        """Take a token: 0 when there was one, else the seconds until there will be."""
        now = self._clock()
        tokens, since = self._buckets.pop(caller, (self._most, now))
        tokens = min(self._most, tokens + max(0.0, now - since) * self._rate)
        taken = tokens >= 1
        self._buckets[caller] = (tokens - 1 if taken else tokens, now)
        if len(self._buckets) > CALLERS_REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - tokens) / self._rate


class Gate:
    """Lets a request through, with its Caller in ``scope["state"]["caller"]``, or refuses it."""

    def __init__(
        self,
        app: ASGIApp,
        keys: KeyRing,
        *,
        allowed_hosts: Sequence[str] = (),
        per_minute: int = 0,
    ) -> None:
        self.app = app
        self._keys = keys
        self._hosts = {host.lower() for host in allowed_hosts}
        self._limit = RateLimit(per_minute) if per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            try:
                scope["state"]["caller"] = self._admit(scope)
            except Problem as problem:
                await refusal(scope, problem)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _admit(self, scope: Scope) -> Caller:
        headers = Headers(scope=scope)
        try:
            closed = self._keys.closed
            self._check_host(headers.getlist("host"), closed)
            caller = self._identify(scope, headers.getlist("authorization"), closed)
        except DyskError as error:
            raise Problem(error.code, str(error)) from None
        if self._limit is not None and (wait := self._limit.wait(caller.name)):
            seconds = int(wait) + 1
            raise Problem(
                "rate_limited",
                f"too many requests; the next one is welcome in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )
        _check_rights(scope, caller)
        return caller

    def _check_host(self, given: list[str], closed: bool) -> None:
        """Without keys a web page elsewhere could have its own name lead here (DNS rebinding), so
        that a browser lets it read; only then, or by wish, are names checked.
        """
        if "*" in self._hosts or (closed and not self._hosts):
            return
        name = _host_name(given[0]) if len(given) == 1 else ""
        if name == "localhost" or name in self._hosts or _is_address(name):
            return
        raise Problem(
            "host_refused",
            "the Host header must name this service: use its address or localhost, or let the "
            "operator add the name to DYSK_ALLOWED_HOSTS",
            errors=[{"header": "Host", "detail": "it names another service"}],
        )

    def _identify(self, scope: Scope, given: list[str], closed: bool) -> Caller:
        if not closed:
            address = (scope.get("client") or ("unknown",))[0]
            return Caller(f"address {address}", "admin")
        kind, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        key = self._keys.find(token.strip()) if kind.lower() == "bearer" else None
        if key is not None:
            return Caller(f"key {key.id}", key.scope, key.graphs)
        if need(scope["method"], scope["path"]) is None:
            return Caller(f"address {(scope.get('client') or ('unknown',))[0]}", "read", ())
        raise Problem(
            "unauthenticated",
            "send a key that `dysk keys create` made as the header Authorization: Bearer KEY"
            + ("; the one sent is unknown or revoked" if given else ""),
            headers={"WWW-Authenticate": 'Bearer realm="dysk"'},
        )


def _check_rights(scope: Scope, caller: Caller) -> None:
    needed = need(scope["method"], scope["path"])
    if needed is None:
        return
    if not caller.may(needed.scope):
        raise Problem(
            "forbidden", f"this needs a key with the scope {needed.scope}; yours has {caller.scope}"
        )
    if needed.every_graph and caller.graphs is not None:
        raise Problem("forbidden", "this needs a key to every graph; yours is for some only")
    if needed.graph is not None:
        check_graph(caller, needed.graph)


def check_graph(caller: Caller, graph: str) -> None:
    """Raises Problem 403 unless the caller's key is for this graph."""
    if not caller.sees(graph):
        raise Problem("forbidden", f"the key is not for the graph {graph!r}")


def _host_name(host: str) -> str:
    """The name in a Host header, without its port and brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
