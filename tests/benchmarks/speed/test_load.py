from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from benchmarks.schema import BenchmarkError
from benchmarks.speed.load import RELATIONS, WRITTEN, Load, measure, table


class TinyService:
    """Answers as the service does, over HTTP: keeps what it is told, and may fail or mix up."""

    def __init__(self) -> None:
        self.facts: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.asking = self.most_asking = 0
        self.refuses = ""
        self.mixes_up = False
        self.write_seconds = 0.0
        self.lock = threading.Lock()

    def reply(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and JSON."""
        if self.refuses and self.refuses in path:
            return 507, {"detail": "disk full"}
        if path.endswith("/facts"):
            time.sleep(self.write_seconds if body["facts"][0]["relation"] == WRITTEN else 0)
            with self.lock:
                self.facts += body["facts"]
            return 201, {"revision": len(self.facts)}
        if path.endswith("/ask"):
            return 200, {"answer": self.answer(body["question"])}
        return 200, {}

    def answer(self, question: str) -> str:
        with self.lock:
            self.asked.append(question)
            self.asking += 1
            self.most_asking = max(self.most_asking, self.asking)
            crowd = self.asking
        time.sleep(0.01)
        with self.lock:
            self.asking -= 1
        (found,) = [
            fact
            for fact in self.facts
            if fact["subject"] in question and fact["relation"] in question
        ]
        return "Who knows." if self.mixes_up and crowd > 1 else f"It is {found['object']}."


@contextmanager
def served(service: TinyService) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, record = service.reply(self.path, body)
            text = json.dumps(record).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def loaded(service: TinyService, *, writes: float = 50, seconds: float = 0.5) -> Load:
    with served(service) as url:
        return measure(url, askers=4, asks=8, writes=writes, seconds=seconds)


def test_each_question_is_asked_alone_and_then_at_once_and_answered_alike() -> None:
    service = TinyService()
    result = loaded(service)
    assert (result.errors, result.different, result.sound) == (0, 0, True)
    questions = service.asked[:8]
    assert len(set(questions)) == 8
    assert sorted(service.asked[8:16]) == sorted(service.asked[16:24]) == sorted(questions)
    assert (result.alone.askers, result.together.askers) == (1, 4)
    assert 1 < service.most_asking <= 4
    assert result.alone.asks == result.together.asks == 8


def test_writes_are_of_a_relation_that_nobody_asks_about() -> None:
    service = TinyService()
    result = loaded(service)
    written = [fact for fact in service.facts if fact["relation"] == WRITTEN]
    assert len(written) == result.writing.writes == 25
    assert len({(fact["subject"], fact["valid_from"]) for fact in written}) == 25
    assert WRITTEN not in RELATIONS
    assert not [question for question in service.asked if WRITTEN in question]


def test_a_service_that_stalls_is_charged_for_all_who_came_meanwhile() -> None:
    service = TinyService()
    service.write_seconds = 0.05
    # Sixteen connections write 320 a second at most, so of 1000 the last waits long for its turn.
    writing = loaded(service, writes=1000, seconds=0.2).writing
    assert writing.writes == 200
    assert writing.write_ms.most > 250
    assert writing.achieved_per_second < 400


def test_another_answer_at_once_is_found_out() -> None:
    service = TinyService()
    service.mixes_up = True
    result = loaded(service)
    assert result.different > 0
    assert not result.sound
    assert (result.first_different or "").startswith("'Who knows.', not 'It is ")
    assert f"{result.different} differ" in table(result)


def test_what_fails_is_counted_and_told() -> None:
    service = TinyService()
    service.refuses = "/ask"
    result = loaded(service)
    assert result.errors >= 24
    assert result.first_error == ('asking: the service answered 507: {"detail": "disk full"}')
    assert not result.sound
    assert "disk full" in table(result)


def test_facts_that_cannot_be_written_stop_the_measurement() -> None:
    service = TinyService()
    service.refuses = "/facts"
    with pytest.raises(BenchmarkError, match="answered 507"):
        loaded(service)


def test_the_table_has_a_row_for_each_load() -> None:
    rows = table(loaded(TinyService())).splitlines()
    assert [row.split(" | ")[0] for row in rows[2:5]] == [
        "| 1 asking",
        "| 4 asking",
        "| 50 writes a second, 4 asking",
    ]
    assert rows[-1].startswith("at once / one by one: ")
