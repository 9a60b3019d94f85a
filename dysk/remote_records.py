"""What a service writes as JSON, as the values that it stands for."""

from __future__ import annotations

from typing import Any

from graph import Change, Commit, Fact, ItemResult, Receipt, Relation


def fact_of(record: dict[str, Any]) -> Fact:
    """A fact's version. What supersession made of its statement is not sent, so not known."""
    return Fact(**{**record, "supersedes": tuple(record["supersedes"])})


def receipt_of(record: dict[str, Any]) -> Receipt:
    """What a write did."""
    return Receipt(
        revision=record["revision"],
        items=tuple(
            ItemResult(each["outcome"], _fact(each["fact"]), tuple(each["superseded"]))
            for each in record["items"]
        ),
        changes=tuple(_change(each) for each in record["changes"]),
        dry_run=record["dry_run"],
        replayed=record["replayed"],
    )


def commit_of(record: dict[str, Any]) -> Commit:
    """A commit of the feed."""
    changes = tuple(_change(each) for each in record["changes"])
    return Commit(record["revision"], record["recorded_at"], changes)


def _change(record: dict[str, Any]) -> Change:
    relation = record["relation"]
    return Change(
        **{
            **record,
            "before": _fact(record["before"]),
            "after": _fact(record["after"]),
            "relation": None if relation is None else Relation(**relation),
            "aliases": tuple(record["aliases"]),
        }
    )


def _fact(record: dict[str, Any] | None) -> Fact | None:
    return None if record is None else fact_of(record)
