"""The Neo4j store at one revision.

A read is one statement that filters by revision, so it sees one state, and a snapshot that is held
for long holds nothing on the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from graph.bounds import check_revision
from graph.errors import NotFound
from graph.fact import Fact, Relation, Status
from graph.identity import turned
from graph.interval import Interval, Period
from graph.neo4j_connection import Connection, Row
from graph.neo4j_rows import HOLDS, KNOWN, digest, to_fact, to_relation
from graph.neo4j_schema import gone

PAGE = 500
"""Facts fetched at a time."""

_UNMERGED = "NOT EXISTS { MATCH (e)-[m:MERGED]->() WHERE m.revision <= $revision }"
"""The entity ``e`` is one of its own at this revision."""

_FROM_ENTITY = """UNWIND {names} AS name
    MATCH (:Entity {{graph: $graph, name: name}})<-[:{end}]-(v:Version)"""
"""From entities to the facts that name them, rather than through all facts."""


class Neo4jSnapshot:
    """Implements Snapshot. See there for what each read means."""

    def __init__(self, connection: Connection, graph: str, revision: int) -> None:
        self._connection = connection
        self._graph = graph
        self._revision = revision
        self._stored: dict[str, str] | None = None

    @property
    def revision(self) -> int:
        """The revision that this snapshot is pinned to."""
        return self._revision

    def get(self, fact_id: str) -> Fact:
        """The version current at this revision. Raises NotFound."""
        return to_fact(self._version(fact_id))

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
        subjects = None if subject is None else self.resolve(subject)
        objects = None if object is None else self.resolve(object)
        where = [KNOWN, "v.position > $after"]
        where.append("v.status <> 'retracted'" if status is None else "v.status = $status")
        if objects is not None:
            where.append("v.object IN $objects")
        if relation is not None:
            where.append("v.relation = $relation")
        if source is not None:
            where.append("v.source = $source")
        if as_of is not None:
            where.append(HOLDS)
        match = "MATCH (v:Version {graph: $graph})"
        if subjects is not None:
            match = _FROM_ENTITY.format(names="$subjects", end="SUBJECT")
        elif objects is not None:
            match = _FROM_ENTITY.format(names="$objects", end="OBJECT")
        found = self._pages(
            f"{match} WHERE {' AND '.join(where)}",
            after=0 if after is None else self._version(after)["position"],
            limit=limit,
            subjects=subjects,
            relation=relation,
            objects=objects,
            source=source,
            status=status,
            **_bounds(as_of),
        )
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
                straight.append(digest(subject, relation))
        match = "UNWIND $slots AS slot MATCH (v:Version {graph: $graph, slot: slot})"
        rows = self._holding(match, as_of, slots=straight) if straight else []
        found = [(row, to_fact(row)) for row in rows]
        if round_about:
            asked = {(object, stored): relation for object, stored, relation in round_about}
            match = """UNWIND $ends AS pair MATCH (:Entity {graph: $graph, name: pair[0]})
                <-[:OBJECT]-(v:Version {relation: pair[1]})"""
            for row in self._holding(match, as_of, ends=list(map(list, asked))):
                relation = asked[row["object"], row["relation"]]
                found.append((row, turned(to_fact(row), relation)))
        slots: dict[tuple[str, str], list[Fact]] = {}
        for _, fact in sorted(found, key=lambda pair: _latest_start_first(pair[0])):
            slots.setdefault((fact.subject, fact.relation), []).append(fact)
        return slots

    def history(self, fact_id: str) -> list[Fact]:
        """Every version recorded up to this revision, oldest first. Raises NotFound."""
        rows = self._read(
            """MATCH (v:Version {graph: $graph, fact: $fact}) WHERE v.revision <= $revision
               WITH properties(v) AS row ORDER BY row.revision""",
            fact=fact_id,
        )
        if not rows:
            raise NotFound(f"there is no fact {fact_id!r} at revision {self._revision}")
        return [to_fact(row) for row in rows]

    def timeline(self, entity: str) -> list[Fact]:
        """Facts that hold somewhere and name the entity, by start, then relation."""
        match = _FROM_ENTITY.format(names="$names", end="SUBJECT|OBJECT")
        rows = self._holding(match, None, names=self.resolve(entity))
        rows.sort(key=lambda row: (row["begins"], row["relation"], row["position"]))
        return [to_fact(row) for row in rows]

    def resolve(self, name: str) -> list[str]:
        """Entities that bear this name, the one of that canonical name first, then in order."""
        canonical = self._read(
            f"""MATCH (e:Entity {{graph: $graph, name: $name}})
                WHERE {_UNMERGED} AND (
                    EXISTS {{ MATCH (e)<-[:SUBJECT|OBJECT]-(v:Version)
                              WHERE v.revision <= $revision }}
                    OR EXISTS {{ MATCH (a:Alias {{graph: $graph, entity: $name}})
                                 WHERE a.revision <= $revision }})
                WITH e.name AS row""",
            name=name,
        )
        aliased = self._read(
            f"""MATCH (a:Alias {{graph: $graph, alias: $name}}) WHERE a.revision <= $revision
                MATCH (e:Entity {{graph: $graph, name: a.entity}}) WHERE {_UNMERGED}
                WITH e.name AS row""",
            name=name,
        )
        return canonical + sorted(aliased)

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity, in the order they were given."""
        rows = self._read(
            f"""MATCH (e:Entity {{graph: $graph, name: $entity}}) WHERE {_UNMERGED}
                MATCH (a:Alias {{graph: $graph, entity: $entity}}) WHERE a.revision <= $revision
                WITH a.alias AS row, a.revision AS given, a.rank AS rank ORDER BY given, rank""",
            entity=entity,
        )
        return tuple(rows)

    def relation(self, name: str) -> Relation:
        """Settings; an undeclared relation has the defaults."""
        rows = self._read(
            f"""MATCH (v:Setting {{graph: $graph, relation: $name}}) WHERE {KNOWN}
                WITH properties(v) AS row""",
            name=name,
        )
        return to_relation(rows[0]) if rows else Relation(name)

    def relations(self) -> list[Relation]:
        """Every relation declared or used up to this revision, by name."""
        used = self._read(
            """MATCH (r:Relation {graph: $graph}) WHERE r.name IS NOT NULL
                   AND EXISTS { MATCH (v:Version {graph: $graph, relation: r.name})
                                WHERE v.revision <= $revision }
               WITH r.name AS row"""
        )
        known = {name: Relation(name) for name in used} | self._declared()
        return [known[name] for name in sorted(known)]

    def count(self) -> int:
        """Facts that are not retracted."""
        rows = self._read(
            f"""MATCH (v:Version {{graph: $graph}})
                WHERE v.position > 0 AND {KNOWN} AND v.status <> 'retracted'
                WITH count(v) AS row"""
        )
        return int(rows[0])

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

    def _version(self, fact_id: str) -> Row:
        rows = self._read(
            f"""MATCH (v:Version {{graph: $graph, fact: $fact}}) WHERE {KNOWN}
                WITH properties(v) AS row""",
            fact=fact_id,
        )
        if not rows:
            raise NotFound(f"there is no fact {fact_id!r} at revision {self._revision}")
        version: Row = rows[0]
        return version

    def _declared(self) -> dict[str, Relation]:
        rows = self._read(
            f"""MATCH (v:Setting {{graph: $graph}})
                WHERE {KNOWN} WITH properties(v) AS row"""
        )
        return {row["relation"]: to_relation(row) for row in rows}

    def _inverses(self) -> dict[str, str]:
        """The stored relation behind each inverse."""
        if self._stored is None:
            self._stored = {
                relation.inverse: name
                for name, relation in self._declared().items()
                if relation.inverse is not None
            }
        return self._stored

    def _holding(self, match: str, as_of: Period | None, **values: object) -> list[Row]:
        return self._read(
            f"{match} WHERE {KNOWN} AND {HOLDS} WITH DISTINCT properties(v) AS row",
            **_bounds(as_of),
            **values,
        )

    def _pages(
        self, found: str, *, after: int, limit: int | None, **values: object
    ) -> Iterator[Fact]:
        remaining = limit
        while remaining is None or remaining > 0:
            size = PAGE if remaining is None else min(PAGE, remaining)
            rows = self._read(
                f"{found} WITH v ORDER BY v.position LIMIT $size WITH properties(v) AS row",
                after=after,
                size=size,
                **values,
            )
            yield from map(to_fact, rows)
            if len(rows) < size:
                return
            after = rows[-1]["position"]
            remaining = None if remaining is None else remaining - size

    def _read(self, found: str, **values: object) -> list[Any]:
        """What a statement finds as ``row``. Raises HistoryCompacted when that may lack some."""
        rows = self._connection.read(
            # The horizon last: what was compacted before shows in it, and later does no harm.
            f"""{found}
                WITH collect(row) AS rows
                MATCH (g:FactGraph {{name: $graph}})
                RETURN rows, g.horizon AS horizon""",
            graph=self._graph,
            revision=self._revision,
            **values,
        )
        if not rows:
            raise gone(self._graph)
        horizon = rows[0]["horizon"]
        if self._revision < horizon:
            check_revision(self._revision, horizon, horizon)
        answer: list[Any] = rows[0]["rows"]
        return answer


def _bounds(as_of: Period | None) -> dict[str, int]:
    period = Interval() if as_of is None else as_of
    return {"start": period.start, "end": period.end}


def _latest_start_first(version: Row) -> tuple[int, int]:
    return -version["begins"], -version["position"]
