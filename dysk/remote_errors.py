"""A service's refusals as the errors that the same call raises in one's own process."""

from __future__ import annotations

import httpx

from dysk import errors as dysk_errors
from dysk.errors import DyskError, Refused, ServiceUnreachable
from graph import errors as graph_errors
from graph.errors import Conflict, GraphError, InvalidFact
from graph.interchange import UnreadableFile

_KINDS: dict[str, type[GraphError | DyskError]] = {
    kind.code: kind
    for module in (graph_errors, dysk_errors)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, GraphError | DyskError)
} | {UnreadableFile.code: UnreadableFile}


def error_of(reply: httpx.Response) -> GraphError | DyskError:
    """The error that a refusal stands for."""
    try:
        problem = reply.json()
        code, detail = str(problem["code"]), str(problem["detail"])
        places = problem.get("errors", [])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ServiceUnreachable(
            f"{reply.url} answered {reply.status_code} without a reason: is it dysk?"
        )
    pointer = next((each["pointer"] for each in places if "pointer" in each), "")
    kind = _KINDS.get(code)
    if kind is None:
        return InvalidFact(detail, pointer) if code == "invalid_request" else Refused(detail)
    if issubclass(kind, Conflict):
        return kind(detail, tuple(problem.get("fact_ids", ())))
    if issubclass(kind, InvalidFact):
        return kind(detail, pointer)
    return kind(detail)


def unreachable(url: str, error: httpx.TransportError) -> ServiceUnreachable:
    """Nothing answers, or the connection broke."""
    return ServiceUnreachable(
        f"nothing answers at {url} ({error or type(error).__name__}): does `dysk serve` run there?"
    )
