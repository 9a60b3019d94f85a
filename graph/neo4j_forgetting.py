"""What the Neo4j store deletes: erased facts, versions before the horizon, whole graphs.

A deleted node is gone for every reader at once. Its bytes stay in the server's transaction logs
until those are pruned, and in backups; that is the server's to settle.
"""

from __future__ import annotations

from collections.abc import Sequence

from graph.neo4j_connection import Connection, Run
from graph.neo4j_schema import LABELS
from graph.store import Compaction

SWEEP = 5_000
"""Nodes deleted in one transaction when a whole graph goes."""


def erase(run: Run, graph: str, fact_ids: Sequence[str]) -> None:
    """Delete every version of facts, and the entities and relations that only they named.

    Each leaves an Erasure in its place in the feed.
    """
    named = run(
        """UNWIND $facts AS fact
           MATCH (:Fact {graph: $graph, id: fact})<-[:OF]-(v:Version)
           CREATE (:Erasure {graph: $graph, fact: fact, revision: v.revision, place: v.place})
           RETURN v.subject AS subject, v.object AS object, v.relation AS relation""",
        graph=graph,
        facts=fact_ids,
    )
    run(
        """UNWIND $facts AS fact
           MATCH (:Fact {graph: $graph, id: fact})<-[:OF]-(v:Version)
           DETACH DELETE v""",
        graph=graph,
        facts=fact_ids,
    )
    _drop_orphans(run, graph, {row[end] for row in named for end in ("subject", "object")})
    _drop_unused(run, graph, {row["relation"] for row in named})


def compact(run: Run, graph: str, horizon: int, before: int) -> Compaction:
    """Forget what only revisions before ``before`` need, which is above the horizon so far."""
    gone = run(
        """MATCH (v:Version) WHERE v.graph = $graph AND v.until <= $before
           WITH v, v.subject AS subject, v.object AS object, v.relation AS relation
           DETACH DELETE v
           RETURN subject, object, relation""",
        graph=graph,
        before=before,
    )
    for condition in (
        "(n:Setting) WHERE n.graph = $graph AND n.until <= $before",
        "(n:Erasure) WHERE n.graph = $graph AND n.revision <= $before",
        # The horizon's own commit tells when it was recorded.
        "(n:Commit) WHERE n.graph = $graph AND n.revision < $before",
    ):
        run(f"MATCH {condition} DELETE n", graph=graph, before=before)
    _drop_nameless(run, graph, {row[end] for row in gone for end in ("subject", "object")})
    _drop_unused(run, graph, {row["relation"] for row in gone})
    run(
        "MATCH (g:FactGraph {name: $graph}) SET g.horizon = $before, g.forgot = g.forgot + 1",
        graph=graph,
        before=before,
    )
    return Compaction(before, len(gone), before - horizon)


def delete_graph(connection: Connection, graph: str) -> None:
    """Delete a graph and all that belongs to it, a part at a time.

    It cannot be opened from the first part on; if this is cut short, calling it again goes on.
    """
    connection.write(
        lambda run: run(
            "MATCH (g:FactGraph {name: $graph}) SET g.deleting = true, g.turn = 'deleted'",
            graph=graph,
        )
    )
    for label in LABELS:
        statement = f"""MATCH (n:{label}) WHERE n.graph = $graph
            WITH n LIMIT $most DETACH DELETE n RETURN count(*) AS deleted"""

        def sweep(run: Run, statement: str = statement) -> int:
            deleted: int = run(statement, graph=graph, most=SWEEP)[0]["deleted"]
            return deleted

        while connection.write(sweep) == SWEEP:
            pass
    connection.write(lambda run: run("MATCH (g:FactGraph {name: $graph}) DELETE g", graph=graph))


def _drop_orphans(run: Run, graph: str, names: set[str]) -> None:
    """Delete those of the entities that no version names any more, with all of their names.

    Entities that were merged go together, once nothing names any of them.
    """
    families = run(
        """UNWIND $names AS name
           MATCH (:Entity {graph: $graph, name: name})-[:MERGED*0..]->(root:Entity)
           WHERE NOT EXISTS { (root)-[:MERGED]->() }
           WITH DISTINCT root
           MATCH (member:Entity)-[:MERGED*0..]->(root)
           WITH root, member.name AS kin,
               EXISTS { (member)<-[:SUBJECT|OBJECT]-(:Version) } AS named
           RETURN root.name AS root, collect(kin) AS members,
               max(CASE WHEN named THEN 1 ELSE 0 END) AS named""",
        graph=graph,
        names=sorted(names),
    )
    gone = [name for family in families if not family["named"] for name in family["members"]]
    for statement in (
        "MATCH (n:Alias {graph: $graph, entity: name}) DELETE n",
        "MATCH (n:Entity {graph: $graph, name: name}) DETACH DELETE n",
    ):
        run(f"UNWIND $names AS name {statement}", graph=graph, names=gone)


def _drop_nameless(run: Run, graph: str, names: set[str]) -> None:
    """Delete those of the entities that neither a version nor another name keeps."""
    run(
        """UNWIND $names AS name
           MATCH (e:Entity {graph: $graph, name: name})
           WHERE NOT EXISTS { (e)<-[:SUBJECT|OBJECT]-(:Version) }
               AND NOT EXISTS { (e)-[:MERGED]-() }
               AND NOT EXISTS { MATCH (a:Alias {graph: $graph, entity: name}) }
           DETACH DELETE e""",
        graph=graph,
        names=sorted(names),
    )


def _drop_unused(run: Run, graph: str, relations: set[str]) -> None:
    """Delete those of the relations that are neither declared nor in any version."""
    run(
        """UNWIND $relations AS relation
           MATCH (r:Relation {graph: $graph, name: relation})
           WHERE NOT EXISTS { MATCH (v:Version {graph: $graph, relation: relation}) }
               AND NOT EXISTS { MATCH (s:Setting {graph: $graph, relation: relation})
                                WHERE s.revision IS NOT NULL }
           DELETE r""",
        graph=graph,
        relations=sorted(relations),
    )
