"""What the feed has told, frozen at one revision, and as columns for a file.

Freezing copies tables but nothing that they hold, so it takes little, and whoever waits for a write
waits no longer. Only then, with nothing held, are the columns made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from dysk.retrieval.coarse import IndexState
from dysk.retrieval.index_file import Column
from dysk.retrieval.mentions import MentionIndex


@dataclass(frozen=True, slots=True)
class Frozen:
    """All that a Syncer knows: ids of slots (subject, relation), names of subjects, and so on."""

    revision: int
    next_id: int
    slots: Mapping[tuple[str, str], int]
    relations: Sequence[str]
    slots_of_fact: Mapping[str, tuple[int, ...]]
    names: Mapping[str, frozenset[str]]
    mentions: MentionIndex

    def columns(self, vectors: IndexState) -> dict[str, Column]:
        """All of it, and the vectors of the slots, which are among ``vectors``."""
        subjects = list(self.names)
        subject_number = {name: number for number, name in enumerate(subjects)}
        relation_number = {name: number for number, name in enumerate(self.relations)}
        count, facts = len(self.slots), self.slots_of_fact.values()
        names = self.names.values()
        return {
            "shell": vectors.shell,
            "list_sizes": vectors.sizes,
            "vector_ids": vectors.ids,
            "codes": vectors.codes,
            "numbers": np.array([vectors.rebuild_at, self.next_id]),
            "subjects": subjects,
            "relations": list(self.relations),
            "slots": np.fromiter(self.slots.values(), np.int64, count),
            "slot_subjects": np.fromiter(
                (subject_number[subject] for subject, _ in self.slots), np.int32, count
            ),
            "slot_relations": np.fromiter(
                (relation_number[relation] for _, relation in self.slots), np.int32, count
            ),
            "facts": list(self.slots_of_fact),
            "fact_slots": np.fromiter(chain.from_iterable(facts), np.int64),
            "fact_slots_sizes": np.fromiter(map(len, facts), np.int32, len(facts)),
            "names": list(chain.from_iterable(names)),
            "names_sizes": np.fromiter(map(len, names), np.int32, len(names)),
            **self.mentions.state(),
        }
