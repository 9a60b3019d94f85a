"""How facts and commits are read from nodes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from graph.fact import Fact, Relation, Statement
from graph.neo4j_connection import Row, Run
from graph.store import Change, Commit

KNOWN = "v.revision <= $revision AND v.until > $revision"
"""The version that is current at a revision."""

HOLDS = "v.begins < $end AND v.ends > $start AND v.begins < v.ends"
"""The version holds somewhere in [start, end)."""


def to_fact(version: Row) -> Fact:
    """A fact from the properties of a Version; those that are None are absent."""
    return Fact(
        id=version["fact"],
        subject=version["subject"],
        relation=version["relation"],
        object=version["object"],
        valid_from=version.get("valid_from"),
        valid_to=version.get("valid_to"),
        source=version.get("source"),
        external_id=version.get("external_id"),
        attributes=json.loads(version["attributes"]) if "attributes" in version else {},
        status=version["status"],
        supersedes=tuple(version.get("supersedes", ())),
        superseded_by=version.get("superseded_by"),
        recorded_at=version["recorded_at"],
        revision=version["revision"],
        statement=Statement(
            version.get("stated_to"),
            version.get("ended", False),
            version.get("exclusive", False),
        ),
    )


def to_properties(fact: Fact) -> Row:
    """The properties of a Version that say what the fact says; empty ones are absent."""
    interval = fact.interval
    properties = {
        "fact": fact.id,
        "revision": fact.revision,
        "recorded_at": fact.recorded_at,
        "subject": fact.subject,
        "relation": fact.relation,
        "object": fact.object,
        "slot": digest(fact.subject, fact.relation),
        "claim": digest(fact.subject, fact.relation, fact.object),
        "begins": interval.start,
        "ends": interval.end,
        "valid_from": fact.valid_from,
        "valid_to": fact.valid_to,
        "source": fact.source,
        "external_id": fact.external_id,
        "attributes": json.dumps(dict(fact.attributes), ensure_ascii=False)
        if fact.attributes
        else None,
        "status": fact.status,
        "supersedes": list(fact.supersedes) or None,
        "superseded_by": fact.superseded_by,
        "stated_to": fact.statement.valid_to,
        "ended": fact.statement.ended or None,
        "exclusive": fact.statement.exclusive or None,
    }
    return {name: value for name, value in properties.items() if value is not None}


def digest(*texts: str) -> str:
    """A short key for several texts, which hold no control characters."""
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest()


def versions_of(run: Run, graph: str, fact_id: str, revision: int) -> list[Fact]:
    """Every version of a fact up to a revision, oldest first; empty when there is none."""
    rows = run(
        """MATCH (v:Version) WHERE v.graph = $graph AND v.fact = $fact AND v.revision <= $revision
           RETURN properties(v) AS version ORDER BY v.revision""",
        graph=graph,
        fact=fact_id,
        revision=revision,
    )
    return [to_fact(row["version"]) for row in rows]


def to_relation(setting: Row) -> Relation:
    """A relation from the properties of a Setting."""
    return Relation(
        setting["relation"],
        setting["cardinality"],
        setting.get("template"),
        setting.get("inverse"),
    )


def commits_between(run: Run, graph: str, first: int, last: int) -> list[Commit]:
    """The commits from revision ``first`` to ``last``. An erasure in between would tear them."""
    bounds: dict[str, Any] = {"graph": graph, "first": first, "last": last}
    commits = run(
        """MATCH (c:Commit)
           WHERE c.graph = $graph AND c.revision >= $first AND c.revision <= $last
           RETURN c.revision AS revision, c.recorded_at AS recorded_at ORDER BY revision""",
        **bounds,
    )
    placed: dict[int, list[tuple[int, Change]]] = {row["revision"]: [] for row in commits}
    for statement, to_change in _KINDS:
        for row in run(statement, **bounds):
            placed[row["revision"]].append((row["place"], to_change(row)))
    return [
        Commit(
            row["revision"],
            row["recorded_at"],
            tuple(change for _, change in sorted(placed[row["revision"]], key=itemgetter(0))),
        )
        for row in commits
    ]


def _between(node: str) -> str:
    return f"{node}.graph = $graph AND {node}.revision >= $first AND {node}.revision <= $last"


def _fact_change(row: Row) -> Change:
    before = None if row["before"] is None else to_fact(row["before"])
    return Change(row["kind"], row["fact"], before, to_fact(row["after"]))


_KINDS: tuple[tuple[str, Callable[[Row], Change]], ...] = (
    (
        f"""MATCH (v:Version) WHERE {_between("v")}
            OPTIONAL MATCH (v)-[:OF]->(:Fact)<-[:OF]-(b:Version) WHERE b.until = v.revision
            RETURN v.revision AS revision, v.place AS place, v.kind AS kind, v.fact AS fact,
                properties(b) AS before, properties(v) AS after""",
        _fact_change,
    ),
    (
        f"""MATCH (e:Erasure) WHERE {_between("e")}
            RETURN e.revision AS revision, e.place AS place, e.fact AS fact""",
        lambda row: Change("erase", row["fact"]),
    ),
    (
        f"""MATCH (s:Setting) WHERE {_between("s")}
            RETURN s.revision AS revision, s.place AS place, properties(s) AS setting""",
        lambda row: Change("relation", relation=to_relation(row["setting"])),
    ),
    (
        f"""MATCH (a:Alias) WHERE {_between("a")}
            WITH a ORDER BY a.rank
            RETURN a.revision AS revision, a.place AS place, a.entity AS entity,
                collect(a.alias) AS aliases""",
        lambda row: Change("alias", entity=row["entity"], aliases=tuple(row["aliases"])),
    ),
    (
        """MATCH (e:Entity)-[m:MERGED]->(t:Entity)
           WHERE m.graph = $graph AND m.revision >= $first AND m.revision <= $last
           RETURN m.revision AS revision, m.place AS place, e.name AS entity, t.name AS target""",
        lambda row: Change("merge", entity=row["entity"], target=row["target"]),
    ),
)
"""The kinds of entries of the feed: how each is found between two revisions, and what it says."""
