"""Run the service until it is told to stop."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
from types import FrameType

import uvicorn

from dysk.errors import DyskError
from dysk.workspace import Workspace
from service.app import create_app
from service.dependencies import Service
from service.keys import KeyRing
from service.logs import log_to_stderr
from service.settings import Settings

log = logging.getLogger("dysk.service")

BACKLOG = 1024
"""Connections that may wait to be accepted."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept: longer than clients and proxies keep theirs (httpx 5, nginx
60), so that it is they who close it, and no request meets a connection that is just closed.
"""
GRACE_SECONDS = 30
"""How long requests in progress may take once the service is told to stop."""


class PublicBind(DyskError):
    """The address is open to others, and the service has no keys to keep them out."""

    code = "public_bind"


class AddressUnavailable(DyskError):
    """The host and port cannot be listened on: in use, not of this machine, or not permitted."""

    code = "address_unavailable"


def serve(workspace: Workspace, settings: Settings, *, insecure_public: bool = False) -> None:
    """Serve ``workspace`` until SIGINT or SIGTERM, then finish the requests in progress and close
    it. Call it from the main thread.

    Raises PublicBind for a host that others can reach unless ``insecure_public``,
    AddressUnavailable.
    """
    open_to_all = not KeyRing(workspace.path).closed
    if open_to_all and not insecure_public and not is_loopback(settings.host):
        raise PublicBind(
            f"{settings.host!r} can be reached by others, and whoever reaches it may read and "
            "change every fact: make a key first with `dysk keys create NAME --scope admin`, "
            "listen on 127.0.0.1, or accept the risk with --insecure-public"
        )
    listener = listen(settings.host, settings.port)
    log_to_stderr(settings.log_format)
    app = create_app(workspace, settings)
    config = uvicorn.Config(
        app,
        access_log=False,  # the middleware writes one line for each request, with its id
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # uvicorn passes the signal on once it has shut down; both mean the same to us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with workspace, listener:
        try:
            log.info("dysk listens on %s", url_of(listener))
            _Server(config, app.state.service).run(sockets=[listener])
        except KeyboardInterrupt:
            log.info("dysk has stopped")


def is_loopback(host: str) -> bool:
    """True when only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(listener: socket.socket) -> str:
    """Where the listener is reached, such as ``http://127.0.0.1:8000``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Tells endless streams to end as soon as the signal arrives; uvicorn would wait for them."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.stopping.set()
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises AddressUnavailable."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        # The protocol is named because asyncio sets TCP_NODELAY only on sockets that name it;
        # without it every response waits 40 ms for a delayed acknowledgement.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unavailable(host, port, error) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _unavailable(host, port, error) from None
    return listener


def _unavailable(host: str, port: int, error: OSError) -> AddressUnavailable:
    return AddressUnavailable(
        f"cannot listen on {host}:{port}: {error.strerror or error}; "
        "choose another --host or --port"
    )
