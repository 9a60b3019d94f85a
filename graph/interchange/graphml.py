"""GraphML out: entities as nodes, facts as edges, for the tools that draw and measure graphs.

It is what ``graph.view.to_networkx`` makes of a snapshot, written as it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from graph.fact import Fact
from graph.interchange.scratch import scratch
from graph.interval import Period
from graph.store import Snapshot

_EDGE_KEYS = ("relation", "valid_from", "valid_to", "source")
_NOT_XML = re.compile("[\ufffe\uffff]")


def dump(snapshot: Snapshot, as_of: Period | None = None) -> Iterator[str]:
    """Lines, without their ends, of a directed graph with the facts that hold in ``as_of``; None
    takes all that hold at some time. Which entities have been declared is remembered on disk.

    Characters that XML cannot have, U+FFFE and U+FFFF, become U+FFFD.
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    for key in _EDGE_KEYS:
        yield f'<key id="{key}" for="edge" attr.name="{key}" attr.type="string"/>'
    yield '<graph edgedefault="directed">'
    with scratch() as connection:
        connection.execute("CREATE TABLE declared (entity TEXT PRIMARY KEY) WITHOUT ROWID")
        for fact in snapshot.facts(as_of=as_of):
            if not fact.holds_in(as_of):
                continue
            for entity in (fact.subject, fact.object):
                declared = connection.execute(
                    "INSERT OR IGNORE INTO declared VALUES (?)", (entity,)
                )
                if declared.rowcount:
                    yield f"<node id={_attribute(entity)}/>"
            yield _edge(fact)
    yield "</graph>"
    yield "</graphml>"


def _edge(fact: Fact) -> str:
    values = ((key, getattr(fact, key)) for key in _EDGE_KEYS)
    data = "".join(
        f'<data key="{key}">{escape(_fit(value))}</data>' for key, value in values if value
    )
    ends = f"source={_attribute(fact.subject)} target={_attribute(fact.object)}"
    return f"<edge id={_attribute(fact.id)} {ends}>{data}</edge>"


def _attribute(text: str) -> str:
    return quoteattr(_fit(text))


def _fit(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
