"""The SQLite store at one revision.

A read is one statement that filters by revision, so it sees one state, and no transaction stays
open between reads: a snapshot held for long neither blocks the writer nor keeps erased bytes alive.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from graph.bounds import check_revision
from graph.errors import NotFound
from graph.fact import Fact, Relation, Status
from graph.identity import turned
from graph.interval import Interval, Period
from graph.sqlite_connection import Readers
from graph.sqlite_rows import FACT, HOLDS, JOINS, KNOWN, horizon_of, to_fact, versions_of

PAGE = 500
"""Facts fetched at a time, so that a slow reader of many holds no transaction."""

_NAMED = """IN (SELECT entity FROM entities WHERE name = :{0}
    UNION SELECT entity FROM aliases WHERE alias = :{0} AND revision <= :revision)"""


class SQLiteSnapshot:
    """Implements Snapshot. See there for what each read means."""

    def __init__(self, readers: Readers, revision: int) -> None:
        self._readers = readers
        self._revision = revision
        self._stored: dict[str, str] | None = None

    @property
    def revision(self) -> int:
        """The revision that this snapshot is pinned to."""
        return self._revision

    def get(self, fact_id: str) -> Fact:
        """The version current at this revision. Raises NotFound."""
        rows = self._read(
            f"""SELECT {FACT} FROM facts k CROSS JOIN versions v ON v.fact = k.fact {JOINS}
                WHERE k.id = :id AND {KNOWN}""",
            id=fact_id,
        )
        if not rows:
            raise NotFound(f"there is no fact {fact_id!r} at revision {self._revision}")
        return to_fact(rows[0])

    def facts(
        self,
        *,
        subject: str | None = None,
        relation: str | None = None,
        object: str | None = None,
        source: str | None = None,
        status: Status | None = None,
        as_of: Period | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Fact]:
        """Facts that pass every filter, in order of first recording."""
        asked = relation
        stored = None if relation is None else self._inverses().get(relation)
        if stored is not None:
            subject, relation, object = object, stored, subject
        where = [KNOWN, "v.fact > :after"]
        if subject is not None:
            where.append(f"v.subject {_NAMED.format('subject')}")
        if object is not None:
            where.append(f"v.object {_NAMED.format('object')}")
        if relation is not None:
            where.append("v.relation = (SELECT relation FROM relations WHERE name = :relation)")
        if source is not None:
            where.append("v.source = :source")
        where.append("v.status != 'retracted'" if status is None else "v.status = :status")
        if as_of is not None:
            where.append(HOLDS)
        filters = {
            "subject": subject,
            "object": object,
            "relation": relation,
            "source": source,
            "status": status,
            **_bounds(as_of),
        }
        start = 0 if after is None else self._key(after)
        index = _index_for(subject, object, source, relation)
        found = self._pages(index, " AND ".join(where), filters, start, limit)
        if stored is None or asked is None:
            return found
        return (turned(fact, asked) for fact in found)

    def slots(
        self, pairs: Iterable[tuple[str, str]], as_of: Period | None = None
    ) -> dict[tuple[str, str], list[Fact]]:
        """For each (subject, relation), its facts that hold in ``as_of``, latest start first.

        Of two that start together the later recorded comes first.
        """
        inverses = self._inverses()
        straight, round_about = [], []
        for subject, relation in dict.fromkeys(pairs):
            if relation in inverses:
                round_about.append((subject, inverses[relation], relation))
            else:
                straight.append((subject, relation))
        found: dict[tuple[str, str], list[Fact]] = {}
        for fact in self._at_pairs("subject", straight, as_of):
            found.setdefault((fact.subject, fact.relation), []).append(fact)
        if round_about:
            asked = {(subject, stored): relation for subject, stored, relation in round_about}
            for fact in self._at_pairs("object", list(asked), as_of):
                relation = asked[fact.object, fact.relation]
                found.setdefault((fact.object, relation), []).append(turned(fact, relation))
        return found

    def history(self, fact_id: str) -> list[Fact]:
        """Every version recorded up to this revision, oldest first. Raises NotFound."""
        with self._readers.lend() as connection:
            versions = versions_of(connection, fact_id, self._revision)
            self._check_left(connection)
        if not versions:
            raise NotFound(f"there is no fact {fact_id!r} at revision {self._revision}")
        return versions

    def timeline(self, entity: str) -> list[Fact]:
        """Facts that hold somewhere and name the entity, by start, then relation."""
        named = _NAMED.format("entity")
        # Two indexed look-ups; an OR of both would scan.
        rows = self._read(
            f"""SELECT {FACT} FROM
                (SELECT version FROM versions WHERE subject {named}
                 UNION SELECT version FROM versions WHERE object {named}) w
                CROSS JOIN versions v ON v.version = w.version {JOINS}
                WHERE {KNOWN} AND v.begins < v.ends ORDER BY v.begins, r.name, v.fact""",
            entity=entity,
        )
        return [to_fact(row) for row in rows]

    def resolve(self, name: str) -> list[str]:
        """Entities that bear this name, the one of that canonical name first, then in order."""
        rows = self._read(
            """SELECT e.name FROM entities e
               WHERE e.name = :name AND NOT EXISTS (
                   SELECT 1 FROM merges WHERE entity = e.entity AND revision <= :revision) AND (
                   EXISTS (SELECT 1 FROM versions
                           WHERE subject = e.entity AND revision <= :revision)
                   OR EXISTS (SELECT 1 FROM versions
                              WHERE object = e.entity AND revision <= :revision)
                   OR EXISTS (SELECT 1 FROM aliases
                              WHERE entity = e.entity AND revision <= :revision))
               UNION ALL SELECT * FROM (
                   SELECT e.name FROM aliases a CROSS JOIN entities e ON e.entity = a.entity
                   WHERE a.alias = :name AND a.revision <= :revision AND NOT EXISTS (
                       SELECT 1 FROM merges WHERE entity = e.entity AND revision <= :revision)
                   ORDER BY e.name)""",
            name=name,
        )
        return [row[0] for row in rows]

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity, in the order they were given."""
        rows = self._read(
            """SELECT a.alias FROM entities e CROSS JOIN aliases a ON a.entity = e.entity
               WHERE e.name = :entity AND a.revision <= :revision AND NOT EXISTS (
                   SELECT 1 FROM merges WHERE entity = e.entity AND revision <= :revision)
               ORDER BY a.rowid""",
            entity=entity,
        )
        return tuple(row[0] for row in rows)

    def relation(self, name: str) -> Relation:
        """Settings; an undeclared relation has the defaults."""
        rows = self._read(
            """SELECT g.cardinality, g.template, g.inverse
               FROM relations r CROSS JOIN settings g ON g.relation = r.relation
               WHERE r.name = :name AND g.revision <= :revision
               ORDER BY g.revision DESC LIMIT 1""",
            name=name,
        )
        return Relation(name, *rows[0]) if rows else Relation(name)

    def relations(self) -> list[Relation]:
        """Every relation declared or used up to this revision, by name."""
        rows = self._read(
            """SELECT r.name, g.cardinality, g.template, g.inverse
               FROM relations r LEFT JOIN settings g ON g.relation = r.relation AND g.revision =
                   (SELECT max(revision) FROM settings
                    WHERE relation = r.relation AND revision <= :revision)
               WHERE g.relation IS NOT NULL OR EXISTS
                   (SELECT 1 FROM versions WHERE relation = r.relation AND revision <= :revision)
               ORDER BY r.name"""
        )
        return [
            Relation(name) if settings[0] is None else Relation(name, *settings)
            for name, *settings in rows
        ]

    def count(self) -> int:
        """Facts that are not retracted."""
        rows = self._read(
            f"SELECT count(*) FROM versions v WHERE {KNOWN} AND v.status != 'retracted'"
        )
        return int(rows[0][0])

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        with self._readers.lend() as connection:
            rows = connection.execute(query, {"revision": self._revision, **values}).fetchall()
            self._check_left(connection)
            return rows

    def _check_left(self, connection: sqlite3.Connection) -> None:
        """Raise HistoryCompacted when what was just read may have missed what was compacted."""
        # After the read: a compaction before it shows here, and one after it did no harm.
        horizon = horizon_of(connection)
        if self._revision < horizon:
            check_revision(self._revision, horizon, horizon)

    def _inverses(self) -> dict[str, str]:
        """The stored relation behind each inverse, at this revision."""
        if self._stored is None:
            rows = self._read(
                """SELECT g.inverse, r.name
                   FROM settings g CROSS JOIN relations r ON r.relation = g.relation
                   WHERE g.inverse IS NOT NULL AND g.revision =
                       (SELECT max(revision) FROM settings
                        WHERE relation = g.relation AND revision <= :revision)"""
            )
            self._stored = dict(rows)
        return self._stored

    def _at_pairs(
        self, side: str, pairs: Sequence[tuple[str, str]], as_of: Period | None
    ) -> Iterator[Fact]:
        """Facts with these (subject or object, relation), pair by pair, latest start first."""
        index = "slot" if side == "subject" else "object"
        rows = self._read(
            f"""SELECT {FACT} FROM json_each(:pairs) p
                CROSS JOIN entities ps ON ps.name = json_extract(p.value, '$[0]')
                CROSS JOIN relations pr ON pr.name = json_extract(p.value, '$[1]')
                CROSS JOIN versions v INDEXED BY versions_by_{index}
                    ON v.{side} = ps.entity AND v.relation = pr.relation {JOINS}
                WHERE {KNOWN} AND {HOLDS} ORDER BY p.key, v.begins DESC, v.fact DESC""",
            pairs=json.dumps(pairs),
            **_bounds(as_of),
        )
        return map(to_fact, rows)

    def _key(self, fact_id: str) -> int:
        self.get(fact_id)
        return int(self._read("SELECT fact FROM facts WHERE id = :id", id=fact_id)[0][0])

    def _pages(
        self,
        index: str,
        where: str,
        filters: dict[str, object],
        start: int,
        limit: int | None,
    ) -> Iterator[Fact]:
        remaining = limit
        while remaining is None or remaining > 0:
            size = PAGE if remaining is None else min(PAGE, remaining)
            rows = self._read(
                f"""SELECT v.fact, {FACT} FROM versions v INDEXED BY {index} {JOINS}
                    WHERE {where} ORDER BY v.fact LIMIT :size""",
                after=start,
                size=size,
                **filters,
            )
            yield from (to_fact(row[1:]) for row in rows)
            if len(rows) < size:
                return
            start = rows[-1][0]
            remaining = None if remaining is None else remaining - size


def _index_for(
    subject: str | None, object: str | None, source: str | None, relation: str | None
) -> str:
    """Which index to read facts by. Left alone, SQLite would rather walk all facts of a relation in
    their order than find the few of a subject and sort them.
    """
    if subject is not None:
        return "versions_by_slot"
    if object is not None:
        return "versions_by_object"
    if source is not None:
        return "versions_by_source"
    return "versions_by_fact" if relation is None else "versions_by_relation"


def _bounds(as_of: Period | None) -> dict[str, object]:
    period = Interval() if as_of is None else as_of
    return {"start": period.start, "end": period.end}
