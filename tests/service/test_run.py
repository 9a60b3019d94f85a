"""The service as a process: where it listens, how it stops, what survives its death."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from service.run import AddressUnavailable, PublicBind, is_loopback, listen, serve, url_of
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import wait_until

FACTS = "/v1/graphs/default/facts"
ASK = "/v1/graphs/default/ask"


def one_fact(subject: str, object: str = "Ada Quill") -> dict[str, object]:
    return {"facts": [{"subject": subject, "relation": "mayor", "object": object}]}


class Process:
    """A running service; ``log`` grows as it writes to stderr."""

    def __init__(self, folder: Path, port: int) -> None:
        command = [sys.executable, "-m", "tests.service.serve_fake", str(folder), str(port)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(iter(self.process.stderr.readline, ""))

    @property
    def url(self) -> str:
        wait_until(lambda: any("dysk listens on" in line for line in list(self.log)), timeout=60)
        found = re.search(r"dysk listens on (\S+)", "".join(self.log))
        assert found
        return found[1]

    def end(self, sig: signal.Signals) -> int:
        self.process.send_signal(sig)
        status = self.process.wait(timeout=30)
        self._reader.join(timeout=10)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[Process]:
    process = Process(folder, port)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.end(signal.SIGKILL)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "example.org"])
def test_a_host_that_others_can_reach_is_refused(workspace: FakeWorkspace, host: str) -> None:
    settings = Settings(data=workspace.path, host=host, port=0)
    with pytest.raises(PublicBind, match="--insecure-public"):
        serve(workspace, settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_hosts_are_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


def test_a_port_in_use_is_a_sentence_that_says_what_to_do(workspace: FakeWorkspace) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        settings = Settings(data=workspace.path, port=port)
        with pytest.raises(AddressUnavailable, match=rf"127\.0\.0\.1:{port}.*choose another"):
            serve(workspace, settings)


@pytest.mark.parametrize("host", ["no such host", "203.0.113.7"])
def test_a_host_that_is_not_this_machine_is_a_sentence(host: str) -> None:
    with pytest.raises(AddressUnavailable, match="choose another --host"):
        listen(host, 0)


def test_accepted_connections_send_at_once() -> None:
    # asyncio sets TCP_NODELAY where the protocol is named, and only there.
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.proto == socket.IPPROTO_TCP


def test_an_ipv6_url_has_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        listener = listen("::1", 0)
    except AddressUnavailable:
        pytest.skip("this machine has no IPv6 loopback address")
    with listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_service_finishes_what_it_began(tmp_path: Path, sig: signal.Signals) -> None:
    with running(tmp_path) as service:
        url, answers = service.url, []
        ask = threading.Thread(
            target=lambda: answers.append(
                httpx.post(url + ASK, json={"question": "Slowly: who?"}, timeout=30)
            )
        )
        ask.start()
        with httpx.stream(
            "GET", url + "/v1/graphs/default/changes", headers={"Accept": "text/event-stream"}
        ) as stream:
            assert next(stream.iter_lines()) == "retry: 1000"
            assert service.end(sig) == 0
        ask.join(timeout=30)
        assert [answer.status_code for answer in answers] == [200]
        assert "dysk has stopped" in service.log[-1]
        assert not any("Traceback" in line for line in service.log)


def test_every_201_survives_kill_9(tmp_path: Path) -> None:
    stored: dict[str, str] = {}

    def write(url: str, writer: str) -> None:
        with httpx.Client(base_url=url) as client, suppress(httpx.TransportError):
            for number in range(10_000):
                subject = f"Town {writer}-{number}"
                response = client.post(FACTS, json=one_fact(subject))
                assert response.status_code == 201
                stored[response.json()["items"][0]["fact"]["id"]] = subject

    for round_number in range(3):
        with running(tmp_path) as service:
            url, before = service.url, len(stored)
            writers = [
                threading.Thread(target=write, args=(url, f"{round_number}-{n}")) for n in range(3)
            ]
            for writer in writers:
                writer.start()
            wait_until(lambda known=before: len(stored) >= known + 20)
            service.end(signal.SIGKILL)
            for writer in writers:
                writer.join(timeout=30)
    with running(tmp_path) as service, httpx.Client(base_url=service.url) as client:
        assert len(stored) >= 60
        for fact_id, subject in stored.items():
            assert client.get(f"{FACTS}/{fact_id}").json()["subject"] == subject
        feed = client.get("/v1/graphs/default/changes", params={"limit": 1000}).json()
        revisions = [commit["revision"] for commit in feed["commits"]]
        assert revisions == list(range(1, len(revisions) + 1))


def test_many_clients_at_once_each_read_what_they_wrote(tmp_path: Path) -> None:
    failures: list[str] = []

    def live(url: str, client_number: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            for number in range(5):
                subject = f"Town {client_number}-{number}"
                written = client.post(FACTS, json=one_fact(subject)).json()
                listed = client.get(FACTS, params={"subject": subject}).json()["facts"]
                if [fact["id"] for fact in listed] != [written["items"][0]["fact"]["id"]]:
                    failures.append(f"{subject} is not listed")
                body = {"question": f"Who is mayor of {subject}?"}
                body |= {"min_revision": written["revision"]}
                if client.post(ASK, json=body).json()["answer"] != "Ada Quill":
                    failures.append(f"{subject} is not known")

    with running(tmp_path) as service:
        clients = [threading.Thread(target=live, args=(service.url, n)) for n in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(timeout=60)
        assert failures == []
        state = httpx.get(service.url + "/v1/graphs/default").json()
        assert (state["revision"], state["facts"]) == (40, 40)


def test_an_endless_upload_is_cut_off_with_a_413(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        address = urlsplit(service.url)
        with socket.create_connection((address.hostname, address.port), timeout=20) as upload:
            upload.sendall(
                f"POST {FACTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
                "Content-Type: application/json\r\n\r\n".encode()
            )
            chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            # No more than passes the limit: what the service leaves unread resets the connection,
            # and then its answer may be lost.
            for _ in range(Settings(data=tmp_path).max_body_bytes // 0x10000 + 1):
                upload.sendall(chunk)
            response = upload.recv(65536).decode()
        assert response.startswith("HTTP/1.1 413 ")
        assert "application/problem+json" in response
        assert httpx.get(service.url + "/health").status_code == 200


def test_an_idle_connection_is_kept_for_longer_than_clients_keep_theirs(tmp_path: Path) -> None:
    with (
        running(tmp_path) as service,
        httpx.Client(base_url=service.url, limits=httpx.Limits(keepalive_expiry=60)) as client,
    ):
        first = client.get("/health").extensions["network_stream"]
        time.sleep(6)  # httpx by itself gives a connection up after 5 seconds
        second = client.get("/health").extensions["network_stream"]
        assert first.get_extra_info("client_addr") == second.get_extra_info("client_addr")


def test_clients_that_hang_up_do_no_harm(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        address = urlsplit(service.url)
        for fragment in (b"POST ", b"POST /v1/graphs HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"):
            with socket.create_connection((address.hostname, address.port)) as connection:
                connection.sendall(fragment)
        with suppress(httpx.TimeoutException):
            httpx.post(service.url + ASK, json={"question": "Slowly: who?"}, timeout=0.2)
        time.sleep(0.2)
        assert httpx.post(service.url + FACTS, json=one_fact("Town")).status_code == 201
        assert httpx.post(service.url + ASK, json={"question": "Town?"}).status_code == 200
        assert not any("Traceback" in line for line in service.log)
