"""Asking on behalf of a client: in its turn, counted, and told bit by bit where it wants that."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request

from dysk.answer import Answer
from service.dependencies import Service
from service.errors import KINDS, Problem
from service.lanes import NobodyWaits

log = logging.getLogger("dysk.service")

HEARTBEAT_SECONDS = 5.0
"""Between comments that keep proxies from closing a stream whose answer is on its way."""
_SPACE = re.compile(r"\s+(?=\S)")


async def answer(
    service: Service, graph: str, question: dict[str, Any], request: Request
) -> Answer:
    """Ask, when the turn comes. Raises NobodyWaits when the client has left."""

    def work() -> Answer:
        return service.workspace.graph(graph).ask(**question)

    try:
        found = await service.lanes.ask(work, hung_up=request.is_disconnected)
    except NobodyWaits:
        service.metrics.abandoned()
        raise
    service.metrics.answered(found)
    if service.traces is not None:
        service.traces.answered(found)
    return found


async def told(
    asking: Coroutine[Any, Any, Answer],
    tell: Callable[[Answer], Iterator[str]],
    complain: Callable[[str, str], str],
) -> AsyncIterator[str]:
    """The events of an answer: comments while it is on its way, then what ``tell`` makes of it, or
    what ``complain`` makes of a code and its detail.
    """
    task: asyncio.Task[Answer] = asyncio.create_task(asking)
    try:
        yield ": asked\n\n"
        while not (await asyncio.wait({task}, timeout=HEARTBEAT_SECONDS))[0]:
            yield ": on its way\n\n"
        for part in tell(task.result()):
            yield part
    except NobodyWaits:
        return
    except Exception as error:
        code = str(getattr(error, "code", ""))
        if code in KINDS:
            yield complain(code, error.detail if isinstance(error, Problem) else str(error))
            return
        log.exception("an ask failed")
        yield complain("internal_error", "the service failed; its log has the reason")
    finally:
        task.cancel()


def event(name: str, record: object) -> str:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps(record, ensure_ascii=False)}\n\n"


def pieces(text: str) -> Iterator[str]:
    """The text word by word; joined they are the text."""
    start = 0
    for match in _SPACE.finditer(text):
        if match.start() > start:
            yield text[start : match.start()]
            start = match.start()
    if start < len(text):
        yield text[start:]
