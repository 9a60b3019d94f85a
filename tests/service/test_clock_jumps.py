"""The clock of the machine jumps, forward and back, while the service runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import interval
from graph.sqlite import SQLiteStore
from service.gate import RateLimit
from tests.contracts.clock import Clock
from tests.service.facts import FACTS, fact
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http

CHANGES = "/v1/graphs/default/changes"
ASK = "/v1/graphs/default/ask"
JUMPS = ({"hours": -3}, {"days": 400}, {"days": -800}, {"seconds": 1}, {"hours": -1})


@pytest.fixture
def clock(workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The clock of the store and of every question about now."""
    clock = Clock()

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return clock.now

    store = workspace.graph().store
    assert isinstance(store, SQLiteStore)
    monkeypatch.setattr(store, "_clock", clock)
    monkeypatch.setattr(interval, "datetime", Jumping)
    yield clock


def test_recorded_times_never_run_back_and_the_feed_has_no_gap(http: Http, clock: Clock) -> None:
    for number, jump in enumerate(JUMPS):
        assert http.post(FACTS, {"facts": [fact(f"Town {number}")]}).status_code == 201
        clock.move(**jump)
    commits = http.get(CHANGES).json()["commits"]
    assert [commit["revision"] for commit in commits] == list(range(1, len(JUMPS) + 1))
    times = [commit["recorded_at"] for commit in commits]
    assert times == sorted(times)


def test_what_was_known_at_a_time_stays_known_at_it(http: Http, clock: Clock) -> None:
    http.post(FACTS, {"facts": [fact("Early")]})
    first = http.get(CHANGES).json()["commits"][0]["recorded_at"]
    clock.move(days=400)
    http.post(FACTS, {"facts": [fact("Late")]})
    clock.move(days=-800)
    http.post(FACTS, {"facts": [fact("Last")]})
    known = http.get(FACTS, params={"known_at": first}).json()["facts"]
    assert [each["subject"] for each in known] == ["Early"]
    assert len(http.get(FACTS).json()["facts"]) == 3


def test_questions_about_now_follow_the_clock_and_others_do_not(http: Http, clock: Clock) -> None:
    http.request("PUT", "/v1/graphs/default/relations/mayor", json={"cardinality": "one"})
    for mayor, since in (("Ann Ox", "2020"), ("Bo Elk", "2030")):
        added = {"subject": "Ayr", "relation": "mayor", "object": mayor, "valid_from": since}
        assert http.post(FACTS, {"facts": [added]}).status_code == 201

    def answer(**more: str) -> str:
        found: str = http.post(ASK, {"question": "Who is mayor of Ayr?"} | more).json()["answer"]
        return found

    assert answer() == "Ann Ox"
    clock.move(days=5 * 365)
    assert answer() == "Bo Elk"
    assert answer(as_of="2025") == "Ann Ox"
    clock.move(days=-5 * 365)
    assert answer() == "Ann Ox"
    clock.move(days=-10 * 365)
    assert answer() == "I do not know."


def test_a_retry_across_a_jump_is_stored_once(http: Http, clock: Clock) -> None:
    headers = {"Idempotency-Key": "one"}
    first = http.post(FACTS, {"facts": [fact()]}, headers=headers)
    for jump in ({"days": -30}, {"days": 31}):
        clock.move(**jump)
        again = http.post(FACTS, {"facts": [fact()]}, headers=headers)
        assert again.json()["replayed"]
        assert again.json()["revision"] == first.json()["revision"]


@given(st.lists(st.floats(-1e6, 1e6), max_size=40), st.integers(1, 600))
def test_however_time_jumps_a_caller_waits_no_longer_than_for_one_token(
    jumps: list[float], per_minute: int
) -> None:
    now = 0.0
    limit = RateLimit(per_minute, clock=lambda: now)
    for jump in jumps:
        now += jump
        assert 0 <= limit.wait("anna") <= 60 / per_minute + 1e-6
