"""Is a store's file whole? Everything that must hold of it, checked without changing a byte.

SQLite's own check sees a broken file, not a wrong one: that two versions of a fact are both
current, or that the feed lacks a revision. A byte that changed within a text is seen only where
the text could not have been stored; a backup's checksum sees it (dysk/backup.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from graph.errors import InvalidFact, StoreCorrupt, StoreUnavailable
from graph.fact import Add, Relation, SetAliases, SetRelation
from graph.migrations import CURRENT, SCHEMA_VERSION, migrate
from graph.sqlite_connection import connect_to_read, inspect, translated
from graph.sqlite_rows import FACT, JOINS, horizon_of, to_fact
from graph.sqlite_scrub import is_unscrubbed
from graph.validate import check

PROBLEMS_KEPT = 20
"""Problems that a report holds of each check."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that must not be, and the check that found it."""

    check: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a store's file holds, and what is wrong with it.

    ``facts`` counts those that are not erased, ``versions`` all that was ever believed of them.
    ``unscrubbed``: bytes of erased facts may still be there, until the store is next opened.
    """

    revision: int
    facts: int
    versions: int
    unscrubbed: bool
    problems: tuple[Problem, ...]


def verify(path: Path, progress: Callable[[str], None] | None = None) -> Verification:
    """Check the file at one revision, while others may write; ``progress`` hears of each check.

    Raises StoreUnavailable when there is no file or it cannot be read, StoreCorrupt when it is no
    store, or one of another version.
    """
    path = path.absolute()
    with translated(path):
        if not path.is_file() or path.stat().st_size == 0:
            raise StoreUnavailable(f"there is no store {path}")
        inspect(path)
        with closing(connect_to_read(path)) as connection:
            connection.execute("BEGIN")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version < SCHEMA_VERSION:
                raise StoreCorrupt(
                    f"{path} was written by an older dysk (its format is {version}, this one's "
                    f"{SCHEMA_VERSION}); open it once with this one, which brings it up to date"
                )
            problems: list[Problem] = []
            for name, find in _CHECKS:
                if progress is not None:
                    progress(name)
                problems += _problems(name, find(connection))
            return _verification(connection, tuple(problems))


def _problems(name: str, found: Iterator[str]) -> Iterator[Problem]:
    try:
        for detail in islice(found, PROBLEMS_KEPT):
            yield Problem(name, detail)
    except sqlite3.DatabaseError as error:
        yield Problem(name, f"cannot be read: {error}")


def _verification(connection: sqlite3.Connection, problems: tuple[Problem, ...]) -> Verification:
    try:
        revision, facts, versions = connection.execute(
            """SELECT (SELECT coalesce(max(revision), 0) FROM commits),
                      count(DISTINCT fact), count(*) FROM versions"""
        ).fetchone()
        return Verification(revision, facts, versions, is_unscrubbed(connection), problems)
    except sqlite3.DatabaseError:
        return Verification(0, 0, 0, unscrubbed=False, problems=problems)


def _pages(connection: sqlite3.Connection) -> Iterator[str]:
    """Pages, trees and indices, as SQLite checks them."""
    for (line,) in connection.execute(f"PRAGMA integrity_check({PROBLEMS_KEPT})"):
        if line != "ok":
            yield line


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    """The tables and indices are those of this version."""
    query = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        expected = dict(fresh.execute(query).fetchall())
    found = dict(connection.execute(query).fetchall())
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            yield f"{name} is missing, or not as this version makes it"


def _references(connection: sqlite3.Connection) -> Iterator[str]:
    """Every key leads to a row, and every name is named by something: else it was left behind."""
    for table, row, target, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} refers to a row of {target} that is not there"
    for (entity,) in connection.execute(
        """SELECT entity FROM entities EXCEPT SELECT subject FROM versions
           EXCEPT SELECT object FROM versions EXCEPT SELECT entity FROM aliases
           EXCEPT SELECT entity FROM merges EXCEPT SELECT target FROM merges"""
    ):
        yield f"entity {entity} is named by nothing"
    for (relation,) in connection.execute(
        """SELECT relation FROM relations EXCEPT SELECT relation FROM versions
           EXCEPT SELECT relation FROM settings"""
    ):
        yield f"relation {relation} is named by nothing"


def _feed(connection: sqlite3.Connection) -> Iterator[str]:
    """From the horizon on revisions have no gap, and time does not run back."""
    for before, revision in connection.execute(
        """SELECT before, revision FROM
           (SELECT revision, lag(revision, 1, 0) OVER (ORDER BY revision) AS before FROM commits)
           WHERE revision != before + 1 AND revision > ?""",
        (horizon_of(connection),),
    ):
        yield f"revision {revision} follows on {before}"
    for (revision,) in connection.execute(
        """SELECT revision FROM
           (SELECT revision, recorded_at, lag(recorded_at) OVER (ORDER BY revision) AS before
            FROM commits) WHERE recorded_at < before"""
    ):
        yield f"revision {revision} was recorded before the one before it"


def _versions(connection: sqlite3.Connection) -> Iterator[str]:
    """The versions of a fact follow one another, and each is the work of one change."""
    for fact_id, revision in connection.execute(
        f"""SELECT f.id, v.revision FROM
            (SELECT fact, revision, until,
                    lead(revision, 1, {CURRENT}) OVER (PARTITION BY fact ORDER BY revision) AS next
             FROM versions) v JOIN facts f ON f.fact = v.fact WHERE v.until != v.next"""
    ):
        yield f"the version of {fact_id} at revision {revision} does not reach up to the next one"
    for revision, position in connection.execute(
        """SELECT h.revision, h.position FROM changes h LEFT JOIN versions a ON a.version = h.after
           WHERE h.after IS NOT NULL AND (a.fact, a.revision) IS NOT (h.fact, h.revision)
           UNION ALL
           SELECT h.revision, h.position FROM changes h LEFT JOIN versions b ON b.version = h.before
           WHERE h.before IS NOT NULL AND (b.fact, b.until) IS NOT (h.fact, h.revision)"""
    ):
        yield f"change {position} of revision {revision} shows a version that is not its own"
    for fact_id, revision in connection.execute(
        """SELECT f.id, v.revision FROM versions v JOIN facts f ON f.fact = v.fact
           WHERE v.revision > ?
           AND v.version NOT IN (SELECT after FROM changes WHERE after IS NOT NULL)""",
        (horizon_of(connection),),
    ):
        yield f"no change of the feed made the version of {fact_id} at revision {revision}"


def _facts(connection: sqlite3.Connection) -> Iterator[str]:
    """Every version says what could be stored today, and its interval is that of its dates."""
    for begins, ends, *row in connection.execute(
        f"SELECT v.begins, v.ends, {FACT} FROM versions v {JOINS}"
    ):
        name = f"the version of {row[0]!r} at revision {row[13]}"
        try:
            fact = to_fact(tuple(row))
            add = Add(
                fact.subject,
                fact.relation,
                fact.object,
                fact.valid_from,
                fact.statement.valid_to,
                fact.source,
                fact.external_id,
                fact.attributes,
                fact.id,
                statement=fact.statement,
            )
            if check(add) != add:
                yield f"{name} has a text that would be stored in another form"
            elif (fact.interval.start, fact.interval.end) != (begins, ends):
                yield f"{name} is looked up by other dates than it has"
            elif (fact.status == "superseded") != (fact.superseded_by is not None):
                yield f"{name} is {fact.status}, but superseded by {fact.superseded_by}"
        except (InvalidFact, ValueError) as error:
            yield f"{name} cannot be: {error}"


def _names(connection: sqlite3.Connection) -> Iterator[str]:
    """Aliases and settings of relations say what could be stored today."""
    for entity, alias in connection.execute(
        "SELECT e.name, a.alias FROM aliases a JOIN entities e USING (entity)"
    ):
        if not _storable(SetAliases(entity, (alias,))):
            yield f"the alias {alias!r} of {entity!r} could not be stored today"
    for name, *declared in connection.execute(
        """SELECT r.name, g.cardinality, g.template, g.inverse
           FROM settings g JOIN relations r USING (relation)"""
    ):
        if not _storable(SetRelation(Relation(name, *declared))):
            yield f"the settings of {name!r} could not be stored today"


def _storable(command: SetAliases | SetRelation) -> bool:
    try:
        return check(command) == command
    except InvalidFact:
        return False


_CHECKS: tuple[tuple[str, Callable[[sqlite3.Connection], Iterator[str]]], ...] = (
    ("pages", _pages),
    ("tables", _tables),
    ("references", _references),
    ("feed", _feed),
    ("versions", _versions),
    ("facts", _facts),
    ("names", _names),
)
