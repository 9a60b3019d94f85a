"""Random commands over a small world, so that they meet: few entities, relations, dates."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from graph import (
    Add,
    Command,
    Correct,
    End,
    Erase,
    MergeEntities,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
    Statement,
)

SUBJECTS = ("Ruritania", "Strelsau")
RELATIONS = ("king", "visited", "reigns")
"""The last is mostly an inverse, if anything."""
OBJECTS = ("Rudolf", "Michael", "Flavia", "Ruritania")
DATES = ("1890", "1893", "1893-05", "1893-05-03", "1893-05-03T10:00Z", "1901", "2026-11-24", "2030")
IDS = ("f1", "f2", "f3", "f4", "f5", "f6", "f7", "own:1", "own:2")
NAMES = (*SUBJECTS, *OBJECTS, "Rudolf V", "Black Michael")
SOURCES = ("gazette", "gossip")

dates = st.sampled_from(DATES)
maybe_dates = st.none() | dates
sources = st.none() | st.sampled_from(SOURCES)
attributes = st.sampled_from(({}, {"page": 3}, {"note": "é ✓", "seen": [1, None]}))
names = st.lists(st.sampled_from(NAMES), max_size=2).map(tuple)
expected = st.none() | st.none() | st.none() | st.integers(1, 9)

# DATES are in order, so two different ones are an interval; unordered ones are tried now and then.
intervals = st.one_of(
    st.tuples(maybe_dates, st.none()),
    st.tuples(st.none(), dates),
    st.lists(st.integers(0, len(DATES) - 1), min_size=2, max_size=2, unique=True).map(
        lambda chosen: tuple(DATES[index] for index in sorted(chosen))
    ),
    st.tuples(dates, dates),
)


def adds(ids: st.SearchStrategy[str | None]) -> st.SearchStrategy[Add]:
    """Facts in the small world, with an id of ``ids``."""
    return st.builds(
        lambda interval, **rest: Add(valid_from=interval[0], valid_to=interval[1], **rest),
        interval=intervals,
        subject=st.sampled_from(SUBJECTS),
        relation=st.sampled_from(RELATIONS),
        object=st.sampled_from(OBJECTS),
        source=sources,
        external_id=st.none() | st.none() | st.just("x1"),
        attributes=attributes,
        id=ids,
        on_conflict=st.sampled_from((None, None, None, None, "supersede", "coexist", "reject")),
        aliases=st.just(()) | names,
        object_aliases=st.just(()) | names,
        statement=st.sampled_from((None, None, None, Statement(None, True, True))),
    )


corrections = st.fixed_dictionaries(
    {},
    optional={
        "subject": st.sampled_from(SUBJECTS),
        "relation": st.sampled_from(RELATIONS),
        "object": st.sampled_from(OBJECTS),
        "valid_from": maybe_dates,
        "valid_to": st.none() | maybe_dates,
        "source": sources,
        "attributes": attributes,
    },
).filter(bool)
relations = st.builds(
    Relation,
    name=st.sampled_from(RELATIONS),
    cardinality=st.sampled_from(("one", "many")),
    template=st.none() | st.just("{subject}: {object}"),
    inverse=st.sampled_from((None, "reigns", "reigns", "visited")),
)


def batches(recorded: Sequence[str]) -> st.SearchStrategy[list[Command]]:
    """Batches of commands that mostly concern the facts recorded so far."""
    known = st.sampled_from(tuple(recorded) or IDS)
    ids = st.one_of(known, known, known, st.sampled_from(IDS))
    new_ids = st.one_of(st.none(), st.none(), st.none(), st.sampled_from(IDS))
    command: st.SearchStrategy[Command] = st.one_of(
        adds(new_ids),
        adds(new_ids),
        adds(new_ids),
        st.builds(End, ids, dates, expected),
        st.builds(Correct, ids, corrections, expected),
        st.builds(Correct, ids, corrections, expected),
        st.builds(Retract, ids, expected),
        st.builds(Erase, ids),
        st.builds(SetRelation, relations),
        st.builds(SetAliases, st.sampled_from(NAMES), names),
        st.builds(MergeEntities, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    )
    return st.lists(command, min_size=1, max_size=3)
