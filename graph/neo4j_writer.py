"""How a commit becomes nodes, inside a write transaction: a few statements, whatever its size."""

from __future__ import annotations

from collections import defaultdict

from graph.interval import parse_date
from graph.neo4j_connection import Row, Run
from graph.neo4j_forgetting import erase
from graph.neo4j_rows import to_properties
from graph.neo4j_schema import CURRENT
from graph.state import State
from graph.store import Change, Commit


def write_commit(run: Run, graph: str, commit: Commit, batch: str, state: State) -> None:
    """Write a commit, what it changes, and the graph's new revision.

    ``batch`` is the commit's name, by which its author can tell that it was stored. ``state`` is
    the store before it.
    """
    writer = _Writer(graph, commit.revision, state)
    for place, change in enumerate(commit.changes):
        writer.note(place, change)
    writer.write(run)
    # Last, so that what the same commit still names is not taken for an orphan.
    erased = [change.fact_id for change in commit.changes if change.fact_id and not change.after]
    if erased:
        erase(run, graph, erased)
    run(
        """MATCH (g:FactGraph {name: $graph})
           SET g.revision = $revision, g.recorded_at = $recorded_at, g.recorded = $recorded,
               g.forgot = g.forgot + $erased
           CREATE (:Commit {graph: $graph, revision: $revision, recorded_at: $recorded_at,
               seconds: $seconds, batch: $batch})""",
        graph=graph,
        revision=commit.revision,
        recorded_at=commit.recorded_at,
        seconds=parse_date(commit.recorded_at).start,
        recorded=writer.recorded,
        erased=len(erased),
        batch=batch,
    )


_CLOSE = """UNWIND $rows AS row
    MATCH (v:Version {graph: $graph, fact: row.fact, revision: row.revision})
    SET v.until = $revision"""

_RECORD = """UNWIND $rows AS row
    CREATE (:Fact {graph: $graph, id: row.id, position: row.position})"""

_STATE = """UNWIND $rows AS row
    MATCH (f:Fact {graph: $graph, id: row.fact})
    MERGE (s:Entity {graph: $graph, name: row.subject})
    MERGE (o:Entity {graph: $graph, name: row.object})
    MERGE (r:Relation {graph: $graph, name: row.relation})
    CREATE (v:Version)-[:OF]->(f), (v)-[:SUBJECT]->(s), (v)-[:OBJECT]->(o)
    SET v = row, v.position = f.position"""

_DECLARE = """UNWIND $rows AS row
    MERGE (r:Relation {graph: $graph, name: row.relation})
    WITH row
    OPTIONAL MATCH (old:Setting {graph: $graph, relation: row.relation})
        WHERE old.revision IS NOT NULL AND old.until = $current
    SET old.until = $revision
    CREATE (s:Setting)
    SET s = row"""

_NAME = """UNWIND $rows AS row
    MERGE (e:Entity {graph: $graph, name: row.entity})
    CREATE (a:Alias)
    SET a = row"""

_MERGE = """UNWIND $rows AS row
    MERGE (e:Entity {graph: $graph, name: row.entity})
    MERGE (t:Entity {graph: $graph, name: row.target})
    CREATE (e)-[m:MERGED]->(t)
    SET m = row.merged"""

_FORGET = """UNWIND $rows AS row
    CREATE (e:Erasure)
    SET e = row"""


class _Writer:
    """Gathers the changes of one commit by the statement that writes them."""

    def __init__(self, graph: str, revision: int, state: State) -> None:
        self._graph = graph
        self._revision = revision
        self._state = state
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)
        self.recorded = state.recorded
        """How many facts were recorded by the end of the commit."""

    def note(self, place: int, change: Change) -> None:
        """Note what a change writes."""
        shared = {"graph": self._graph, "revision": self._revision, "place": place}
        if change.relation is not None:
            relation = change.relation
            settings = {
                "relation": relation.name,
                "cardinality": relation.cardinality,
                "template": relation.template,
                "inverse": relation.inverse,
                "until": CURRENT,
            }
            self._rows[_DECLARE].append(_present(settings | shared))
        elif change.target is not None:
            row = {"entity": change.entity, "target": change.target}
            self._rows[_MERGE].append(row | {"merged": shared})
        elif change.entity is not None:
            self._rows[_NAME] += [
                {"entity": change.entity, "alias": alias, "rank": rank} | shared
                for rank, alias in enumerate(change.aliases)
            ]
        elif change.fact_id is not None:
            self._note_fact(change.fact_id, change, shared)

    def write(self, run: Run) -> None:
        """Write what was noted."""
        for statement in (_CLOSE, _RECORD, _STATE, _DECLARE, _NAME, _MERGE, _FORGET):
            rows = self._rows[statement]
            if rows:
                run(
                    statement,
                    graph=self._graph,
                    revision=self._revision,
                    current=CURRENT,
                    rows=rows,
                )

    def _note_fact(self, fact_id: str, change: Change, shared: Row) -> None:
        if not self._state.taken(fact_id):
            self.recorded += 1
            self._rows[_RECORD].append({"id": fact_id, "position": self.recorded})
        if change.before is not None:
            self._rows[_CLOSE].append({"fact": fact_id, "revision": change.before.revision})
        if change.after is not None:
            version = to_properties(change.after) | shared | {"until": CURRENT, "kind": change.kind}
            self._rows[_STATE].append(version)
        else:
            self._rows[_FORGET].append({"fact": fact_id} | shared)


def _present(properties: Row) -> Row:
    return {name: value for name, value in properties.items() if value is not None}
