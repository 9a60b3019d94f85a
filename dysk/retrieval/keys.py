"""Where a slot lies in the index: composed from the vectors of its subject and its relation.

One key per (subject, relation), not per fact: a changed object changes no key, and a new fact
about a known entity needs no encoder call. Measured as good as encoding the pair as a sentence
(docs/log.md).
"""

from __future__ import annotations

from collections.abc import Sequence

from dysk.retrieval.encoder import Progress, TextEncoder, Vectors, unit
from dysk.retrieval.verbalize import spell_out

RELATION_WEIGHT = 0.5
"""Share of the relation in a key. Below one, because a question names its subject but paraphrases
the relation.
"""


def compose(subjects: Vectors, relations: Vectors) -> Vectors:
    """Keys float32 [N, dim], unit length, from vectors [N, dim] of subjects and of relations."""
    return unit(subjects + RELATION_WEIGHT * relations)


def slot_keys(
    encoder: TextEncoder, slots: Sequence[tuple[str, str]], progress: Progress | None = None
) -> Vectors:
    """Keys float32 [len(slots), dim] of (subject, relation) pairs; each distinct text is encoded
    once.
    """
    texts = [text for subject, relation in slots for text in (subject, spell_out(relation))]
    row = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    vectors = encoder.encode(list(row), progress)
    subjects = vectors[[row[text] for text in texts[0::2]]]
    relations = vectors[[row[text] for text in texts[1::2]]]
    return compose(subjects, relations)
