from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load import EVENT, WITHIN_PERIOD, normalised, read_end
from graph.interval import Period, parse_date, parse_interval

MONTHS = st.builds("{:04d}-{:02d}".format, st.integers(0, 9998), st.integers(1, 12))
YEARS = st.builds("{:04d}".format, st.integers(0, 9998))


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "end", "rule"),
    [
        # events: born, died, won
        ("2017-04-30", "2017-04-30", None, EVENT),
        ("2017-04-30T10:00Z", "2017-04-30T10:00Z", None, EVENT),
        ("2017-04-30T10:00Z", "2017-04-30T11:00+01:00", None, EVENT),
        # an end somewhere within a period
        ("1947", "1947", "1948", WITHIN_PERIOD),
        ("1952-08", "1952-08", "1952-09", WITHIN_PERIOD),
        ("1952-12", "1952-12", "1953-01", WITHIN_PERIOD),
        ("2013-05", "2013", "2014", WITHIN_PERIOD),
        ("2013-05-17", "2013-05", "2013-06", WITHIN_PERIOD),
        ("9999", "9999", "+10000", WITHIN_PERIOD),
        ("+10000", "+10000", "+10001", WITHIN_PERIOD),
        ("-0001", "-0001", "0000", WITHIN_PERIOD),
        ("-0044-03", "-0044", "-0043", WITHIN_PERIOD),
        # ends that are left alone
        ("1947", "1948", "1948", None),
        ("1947", "1947-06", "1947-06", None),
        ("1947-06-01", "1947-06-02", "1947-06-02", None),
        ("1948", "1947", "1947", None),
        ("2013-05-17", "2013-05-16", "2013-05-16", None),
        (None, "1947", "1947", None),
        ("1947", None, None, None),
        (None, None, None, None),
    ],
)
def test_an_end_is_read_as_what_it_can_only_mean(
    valid_from: str | None, valid_to: str | None, end: str | None, rule: str | None
) -> None:
    assert read_end(valid_from, valid_to) == (end, rule)


@given(st.one_of(YEARS, MONTHS), st.one_of(YEARS, MONTHS))
def test_an_end_within_its_period_becomes_the_first_instant_after_it(
    valid_from: str, valid_to: str
) -> None:
    end, rule = read_end(valid_from, valid_to)
    period: Period = parse_date(valid_to)
    if period.start <= parse_date(valid_from).start < period.end:
        assert rule == WITHIN_PERIOD
        assert end is not None
        assert parse_date(end).start == period.end
        assert parse_interval(valid_from, end)
    else:
        assert (end, rule) == (valid_to, None)


def test_only_lines_that_a_rule_applies_to_change() -> None:
    lines = [
        b'{"subject": "A", "valid_from": "1947",  "valid_to": "1947", "odd": [1]}\n',
        b'{"subject": "B", "valid_from": "1947",  "valid_to": null}\n',
        b'{"relation": "held by", "cardinality": "one"}\n',
        b"\n",
        b"not json\n",
        b"\xff\n",
        b"[1, 2]\n",
        b'{"valid_from": 1947, "valid_to": "1947"}\n',
        b'{"valid_from": "May 1947", "valid_to": "1947"}\n',
    ]
    counts: Counter[str] = Counter()
    seen: list[None] = []
    found = list(normalised(lines, counts, lambda: seen.append(None)))
    assert json.loads(found[0]) == {
        "subject": "A",
        "valid_from": "1947",
        "valid_to": "1948",
        "odd": [1],
    }
    assert found[1:] == lines[1:]
    assert counts == {WITHIN_PERIOD: 1}
    assert len(seen) == len(lines)


@given(st.lists(st.binary()))
def test_any_bytes_pass_through_one_for_one(lines: list[bytes]) -> None:
    assert list(normalised(lines, Counter())) == lines
