"""Ways to speak to the service: in this process without a socket, or over a loopback port."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx
import uvicorn
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI

from service.run import listen, url_of


class Http:
    """A client of an ASGI application: each call returns the whole response."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"
        )

    def __enter__(self) -> Self:
        self._portal_context = start_blocking_portal()
        self._portal = self._portal_context.__enter__()
        self._lifespan = self._portal.wrap_async_context_manager(
            self.app.router.lifespan_context(self.app)
        )
        self._lifespan.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._portal.call(self._client.aclose)
        self._lifespan.__exit__(None, None, None)
        self._portal_context.__exit__(*details)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            return await self._client.request(method, path, **options)

        return self._portal.call(send)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self.request("POST", path, json=json, **options)


@contextmanager
def on_a_port(app: FastAPI) -> Iterator[str]:
    """The application behind real uvicorn on a free loopback port; yields its URL."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield url_of(listener)
        finally:
            app.state.service.stopping.set()
            server.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive(), "the server did not stop"


def wait_until(holds: Any, timeout: float = 20) -> None:
    """Return once ``holds()`` is true; fail after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that a response has to be, with its members checked."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code, body
    assert body["type"] == f"urn:dysk:problem:{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    for error in body["errors"]:
        assert error["detail"]
        assert len({"pointer", "parameter", "header"} & set(error)) == 1
    return body
