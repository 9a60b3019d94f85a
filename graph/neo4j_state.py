"""The Neo4j store at its latest revision, inside a write transaction: what planning reads.

A round trip costs more than what it fetches. So what a batch is sure to ask for is fetched before
it is planned, for all of its commands at once; what comes up besides is fetched when it does.
Nothing changes meanwhile: the transaction has its turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graph.errors import NotFound
from graph.fact import (
    Add,
    Command,
    Correct,
    End,
    Erase,
    Fact,
    MergeEntities,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
)
from graph.neo4j_connection import Row, Run
from graph.neo4j_fetching import LookUps, Remembered, to_entry
from graph.neo4j_rows import digest
from graph.neo4j_schema import CURRENT
from graph.state import Entry, Slot

ROWS_A_SLOT = 20
"""Facts fetched at once for each slot of a batch, on average: most slots have fewer."""
FIRST_PAGE, LAST_PAGE = 8, 512
"""Facts of a long slot fetched at a time; each page is twice the one before, up to the last."""


class Neo4jState:
    """Implements State. Lives as long as one transaction."""

    def __init__(self, run: Run, graph: str, head: Row, commands: Sequence[Command]) -> None:
        """``head`` has the properties of the graph's FactGraph."""
        self._run = run
        self._graph = graph
        self.revision: int = head["revision"]
        self.recorded_at: str = head["recorded_at"]
        self.recorded: int = head["recorded"]
        look_ups = self._look_ups = LookUps(run, graph)
        self._facts = Remembered[str, tuple[Entry | None] | None](look_ups.facts, None)
        self._versions = Remembered[str, Sequence[Fact]](look_ups.versions, ())
        self._contested = Remembered[Slot, bool](look_ups.contested, False)
        self._stating = Remembered[tuple[Slot, str], Sequence[Fact]](look_ups.stating, ())
        self._targets = Remembered[str, str | None](look_ups.targets, None)
        self._aliases = Remembered[str, tuple[str, ...]](look_ups.aliases, ())
        self._relations = Remembered[str, Relation | None](look_ups.relations, None)
        self._inverses = Remembered[str, Relation | None](look_ups.inverses, None)
        self._expected: set[Slot] = set()
        self._short: dict[Slot, list[Entry]] = {}
        self._prepare(commands)

    def entry(self, fact_id: str) -> Entry | None:
        """The fact; None when it was never recorded or is erased."""
        found = self._facts[fact_id]
        return None if found is None else found[0]

    def taken(self, fact_id: str) -> bool:
        """True when the id was ever used, also by a fact that is erased."""
        return self._facts[fact_id] is not None

    def versions(self, fact_id: str) -> Sequence[Fact]:
        """Every version of a fact, oldest first. Raises NotFound."""
        versions = self._versions[fact_id]
        if not versions:
            raise NotFound(f"there is no fact {fact_id!r}")
        return versions

    def around(self, slot: Slot, start: int) -> list[Entry]:
        """The facts of a slot that begin at ``start``, or before it and hold until it or longer."""
        short = self._short_slot(slot)
        if short is not None:
            intervals = ((entry, entry.fact.interval) for entry in short)
            return [entry for entry, holds in intervals if holds.start <= start <= holds.end]
        where = "v.begins <= $start AND v.ends >= $start"
        return list(self._pages("slot", digest(*slot), where, "v.position", start=start))

    def following(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts of a slot that begin after ``start``, earliest first."""
        short = self._short_slot(slot)
        if short is not None:
            return (entry for entry in short if entry.fact.interval.start > start)
        order = "v.begins, v.position"
        return self._pages("slot", digest(*slot), "v.begins > $start", order, start=start)

    def preceding(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts of a slot that begin before ``start``, latest first."""
        short = self._short_slot(slot)
        if short is not None:
            return (entry for entry in reversed(short) if entry.fact.interval.start < start)
        order = "v.begins DESC, v.position DESC"
        return self._pages("slot", digest(*slot), "v.begins < $start", order, start=start)

    def naming(self, entity: str) -> list[Entry]:
        """The facts that have the entity as subject or object."""
        rows = self._run(
            """MATCH (:Entity {graph: $graph, name: $entity})<-[:SUBJECT|OBJECT]-(v:Version)
               WHERE v.until = $current RETURN DISTINCT properties(v) AS version""",
            graph=self._graph,
            entity=entity,
            current=CURRENT,
        )
        return [to_entry(row["version"]) for row in rows]

    def contested(self, slot: Slot) -> bool:
        """True when the slot has an exclusive fact."""
        return self._contested[slot]

    def stating(self, slot: Slot, object: str) -> list[Fact]:
        """The facts of a slot that have this object."""
        return list(self._stating[slot, object])

    def relation(self, name: str) -> Relation | None:
        """The settings declared for a relation."""
        return self._relations[name]

    def inverse_of(self, name: str) -> Relation | None:
        """The relation that declares ``name`` as its inverse now."""
        return self._inverses[name]

    def using(self, relation: str) -> Iterator[Entry]:
        """The facts that have this relation and are not retracted."""
        return self._pages("relation", relation, "v.status <> 'retracted'", "v.position")

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity; none once it is merged."""
        return () if self.merged_into(entity) is not None else self._aliases[entity]

    def merged_into(self, entity: str) -> str | None:
        """The entity that this one was merged into; None if it was not."""
        return self._targets[entity]

    def _prepare(self, commands: Sequence[Command]) -> None:
        """Fetch what planning the commands will ask for."""
        adds = [command for command in commands if isinstance(command, Add)]
        ids = [fact_id for command in commands for fact_id in _ids(command)]
        next_ids = [f"f{self.recorded + number}" for number in range(1, len(adds) + 1)]
        self._facts.fetch(ids + next_ids)
        self._versions.fetch(add.id for add in adds if add.id and self.entry(add.id))
        self._targets.fetch(name for command in commands for name in _names(command))
        relations = [add.relation for add in adds]
        relations += [each.relation.name for each in commands if isinstance(each, SetRelation)]
        self._relations.fetch(relations)
        self._inverses.fetch(relations)
        claims = [self._as_stored(add) for add in adds]
        entries = [found[0] for found in self._facts.values() if found and found[0]]
        self._expected = {slot for slot, _ in claims}
        self._expected |= {(entry.fact.subject, entry.fact.relation) for entry in entries}
        self._contested.fetch(self._expected)
        self._stating.fetch(claim for add, claim in zip(adds, claims, strict=True) if not add.id)
        self._aliases.fetch(
            self._canonical(name) for command in commands for name in _named_anew(command)
        )

    def _as_stored(self, add: Add) -> tuple[Slot, str]:
        """Where the planner looks for an Add, unless an earlier command renames something."""
        subject, relation, object = add.subject, add.relation, add.object
        inverse = self._inverses[relation]
        if inverse is not None:
            subject, relation, object = object, inverse.name, subject
        return (self._canonical(subject), relation), self._canonical(object)

    def _canonical(self, name: str) -> str:
        while (target := self._targets[name]) is not None:
            name = target
        return name

    def _short_slot(self, slot: Slot) -> list[Entry] | None:
        """All of a slot in order of start, if it is one of the batch's and those are short."""
        if slot in self._expected:
            most = ROWS_A_SLOT * len(self._expected)
            self._short = self._look_ups.short_slots(self._expected, most) or {}
            self._expected = set()
        return self._short.get(slot)

    def _pages(
        self, key: str, value: str, where: str, order: str, **values: object
    ) -> Iterator[Entry]:
        skip, size = 0, FIRST_PAGE
        while True:
            rows = self._run(
                f"""MATCH (v:Version {{graph: $graph, {key}: $value}})
                    WHERE v.until = $current AND {where}
                    RETURN properties(v) AS version ORDER BY {order} SKIP $skip LIMIT $size""",
                graph=self._graph,
                value=value,
                current=CURRENT,
                skip=skip,
                size=size,
                **values,
            )
            yield from (to_entry(row["version"]) for row in rows)
            if len(rows) < size:
                return
            skip, size = skip + size, min(2 * size, LAST_PAGE)


def _ids(command: Command) -> Iterator[str]:
    """The facts that a command names by id."""
    if isinstance(command, Add):
        if command.id is not None:
            yield command.id
    elif isinstance(command, End | Correct | Retract | Erase):
        yield command.fact_id


def _names(command: Command) -> tuple[str, ...]:
    """The entities that a command names."""
    match command:
        case Add():
            return (command.subject, command.object)
        case SetAliases():
            return (command.entity,)
        case MergeEntities():
            return (command.source, command.target)
    return ()


def _named_anew(command: Command) -> Iterator[str]:
    """The entities that a command gives other names."""
    match command:
        case Add():
            if command.aliases:
                yield command.subject
            if command.object_aliases:
                yield command.object
        case SetAliases() | MergeEntities():
            yield from _names(command)
