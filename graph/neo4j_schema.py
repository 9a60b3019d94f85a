"""The nodes of the Neo4j store, their constraints and indexes.

Every node but FactGraph has a property ``graph``, the name of the graph that it belongs to, so that
several graphs, and data of others, can share a database. Integers are revisions or seconds.

    (:FactGraph {name, revision, recorded_at, recorded, horizon, forgot, turn, format})
    (:Commit {revision, recorded_at, seconds, batch})
    (:Fact {id, position})    one for each id ever used; without versions it is erased
    (:Version {fact, revision, until, …})-[:OF]->(:Fact)
    (:Version)-[:SUBJECT]->(:Entity {name})<-[:OBJECT]-(:Version)
    (:Alias {entity, alias, revision, place, rank})
    (:Entity)-[:MERGED {revision, place}]->(:Entity)
    (:Relation {name})
    (:Setting {relation, revision, until, place, cardinality, template, inverse})
    (:Erasure {fact, revision, place})    where the feed spoke of a fact that is erased
    (:Receipt {key, fingerprint, revision, committed, items, kept_at})

A version is current at revision r when ``revision <= r < until``, so that reading an old revision
is a filter. It is its own entry in the feed: of the ``kind``, at the ``place`` in its commit.
``begins`` and ``ends`` are the interval in which it holds, empty when it holds nowhere.
"""

from __future__ import annotations

from graph.errors import StoreCorrupt, StoreUnavailable
from graph.neo4j_connection import Connection

FORMAT = 1
"""The ``format`` of the graphs that this module writes."""

CURRENT = 2**62
"""The ``until`` of a version that nothing has replaced."""

LABELS = (
    "Version",
    "Fact",
    "Alias",
    "Entity",
    "Setting",
    "Relation",
    "Erasure",
    "Receipt",
    "Commit",
)
"""What belongs to a graph, by the property ``graph``."""

_UNIQUE = {
    "FactGraph": "name",
    "Commit": "graph revision",
    "Fact": "graph id",
    "Version": "graph fact revision",
    "Entity": "graph name",
    "Relation": "graph name",
    "Setting": "graph relation revision",
    "Receipt": "graph key",
}

# Neo4j puts a node into an index when it has all the properties: ``exclusive`` is true or absent,
# so that its index is small; and it uses an index where a statement names all the properties, if
# only as IS NOT NULL. No key may exceed 8,167 bytes; one name fits, several do not, so that
# ``slot`` and ``claim`` are hashes of subject and relation, and of subject, relation and object.
_INDEXES = {
    "dysk_commit_batch": ("Commit", "graph batch"),
    "dysk_commit_seconds": ("Commit", "graph seconds"),
    "dysk_version_position": ("Version", "graph position"),
    "dysk_version_revision": ("Version", "graph revision"),
    "dysk_version_until": ("Version", "graph until"),
    "dysk_version_slot": ("Version", "graph slot begins"),
    "dysk_version_exclusive": ("Version", "graph slot exclusive"),
    "dysk_version_claim": ("Version", "graph claim"),
    "dysk_version_relation": ("Version", "graph relation"),
    "dysk_version_source": ("Version", "graph source"),
    "dysk_alias_name": ("Alias", "graph alias"),
    "dysk_alias_entity": ("Alias", "graph entity"),
    "dysk_alias_revision": ("Alias", "graph revision"),
    "dysk_setting_inverse": ("Setting", "graph inverse"),
    "dysk_setting_revision": ("Setting", "graph revision"),
    "dysk_erasure_revision": ("Erasure", "graph revision"),
    "dysk_receipt_kept_at": ("Receipt", "graph kept_at"),
}


def open_graph(connection: Connection, graph: str) -> None:
    """Make a graph at revision 0, and the schema, unless it is there already.

    Raises StoreCorrupt when a newer version wrote it, StoreUnavailable when it is half deleted.
    """
    found = connection.read(_STATE, graph=graph)
    if not found:
        _prepare(connection)
        found = connection.write(lambda run: run(_MAKE, graph=graph, format=FORMAT))
    if found[0]["format"] > FORMAT:
        raise StoreCorrupt(
            f"graph {graph!r} was written by a newer dysk (its format is {found[0]['format']}, "
            f"this one knows {FORMAT}); upgrade dysk to open it"
        )
    if found[0]["deleting"]:
        raise StoreUnavailable(f"graph {graph!r} is half deleted; delete it again to finish")


def gone(graph: str) -> StoreUnavailable:
    """The error of whoever uses a graph that was deleted meanwhile."""
    return StoreUnavailable(f"graph {graph!r} was deleted; open it again to begin anew")


_STATE = """MATCH (g:FactGraph {name: $graph})
    RETURN g.format AS format, g.deleting AS deleting"""

_MAKE = """MERGE (g:FactGraph {name: $graph})
    ON CREATE SET g.revision = 0, g.recorded_at = '', g.recorded = 0, g.horizon = 0, g.forgot = 0,
        g.format = $format
    RETURN g.format AS format, g.deleting AS deleting"""


def _prepare(connection: Connection) -> None:
    """Make what the database lacks of the constraints and indexes."""
    for label, properties in _UNIQUE.items():
        connection.define(
            f"CREATE CONSTRAINT dysk_{label.lower()} IF NOT EXISTS "
            f"FOR (n:{label}) REQUIRE ({_listed(properties)}) IS UNIQUE"
        )
    for name, (label, properties) in _INDEXES.items():
        connection.define(
            f"CREATE INDEX {name} IF NOT EXISTS FOR (n:{label}) ON ({_listed(properties)})"
        )
    connection.define(
        "CREATE INDEX dysk_merged_revision IF NOT EXISTS "
        "FOR ()-[m:MERGED]-() ON (m.graph, m.revision)"
    )


def _listed(properties: str) -> str:
    return ", ".join(f"n.{name}" for name in properties.split())
