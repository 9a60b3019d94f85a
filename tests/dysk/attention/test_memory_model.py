"""The fact memory against a model of it: least recently used goes first, pinned never."""

from __future__ import annotations

from collections import OrderedDict

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from dysk.attention import Lease, MemoryBudgetExceeded
from dysk.attention.memory import _FreeSpace
from tests.dysk.attention.marked import Encoder, holds, memory_of, traces

Leased = tuple[Lease, list[tuple[str, "Held"]]]
"""A lease, and the sentences and blocks of the model that it pins."""
CAPACITY = 5
MARKS = range(1, 9)
# Facts and sentences are many to many: facts change their sentence, and sentences are shared.
FACTS = st.tuples(st.sampled_from("abcdef"), st.sampled_from([f"{mark} x4" for mark in MARKS]))


class Held:
    """A block of the model."""

    def __init__(self) -> None:
        self.pins = 0
        self.facts: set[str] = set()
        self.forgotten = False


class MemoryMachine(RuleBasedStateMachine):
    """Blocks are all of four tokens, so nothing depends on where they lie."""

    leases: Bundle[Leased] = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.memory = memory_of(4 * CAPACITY, self.encoder)
        self.held: OrderedDict[str, Held] = OrderedDict()
        self.forgotten: list[Held] = []
        self.live: list[Leased] = []
        self.evictions = 0

    @rule(target=leases, facts=st.lists(FACTS, max_size=CAPACITY + 1), broken=st.booleans())
    def lease(self, facts: list[tuple[str, str]], broken: bool) -> Leased | MultipleResults[Leased]:
        missing = list(dict.fromkeys(text for _, text in facts if text not in self.held))
        pinned, fits = list[Held](), True
        if not (broken and missing):
            pinned = [self.pin(*fact) for fact in facts if fact[1] in self.held]
            for sentence in missing:
                fits = self.make_room()
                if not fits:
                    break
                self.held[sentence] = Held()
                pinned += [self.pin(*fact) for fact in facts if fact[1] == sentence]
        self.encoder.calls.clear()
        self.encoder.broken = broken
        failed = bool(broken and missing) or not fits
        if failed:
            with pytest.raises(OSError if broken else MemoryBudgetExceeded):
                self.memory.lease(facts)
            self.unpin(pinned)
        else:
            lease = self.memory.lease(facts)
            self.live.append((lease, [(text, self.held[text]) for _, text in facts]))
        assert self.encoder.calls == ([missing] if missing else [])
        return multiple() if failed else self.live[-1]

    @rule(lease=consumes(leases))
    def release(self, lease: Leased) -> None:
        lease[0].release()
        lease[0].release()
        self.live.remove(lease)
        self.unpin([block for _, block in lease[1]])

    @rule(facts=st.sets(st.sampled_from("abcdef"), max_size=3))
    def forget(self, facts: set[str]) -> None:
        gone = [text for text, block in self.held.items() if block.facts & facts]
        assert self.memory.forget(facts) == len(gone)
        for text in gone:
            block = self.held.pop(text)
            block.forgotten = True
            if block.pins:
                self.forgotten.append(block)

    @invariant()
    def leased_rows_hold_their_facts_or_nothing(self) -> None:
        for lease, blocks in self.live:
            for row, (sentence, block) in zip(lease.rows.tolist(), blocks, strict=True):
                assert holds(self.memory, row, "0 x4" if block.forgotten else sentence)

    @invariant()
    def the_arenas_hold_what_the_model_holds_and_not_a_number_more(self) -> None:
        marks = {text.split(" ")[0] for text in self.held}
        assert {str(mark) for mark in MARKS if traces(self.memory, mark)} == marks
        numbers = int((self.memory.keys != 0).sum())
        assert numbers == len(self.held) * 4 * self.memory.keys[:, 0].numel()

    @invariant()
    def the_counters_agree(self) -> None:
        stats = self.memory.stats
        assert (stats.blocks, stats.tokens) == (len(self.held), 4 * len(self.held))
        assert stats.evictions == self.evictions

    def pin(self, fact: str, sentence: str) -> Held:
        block = self.held[sentence]
        block.pins += 1
        block.facts.add(fact)
        self.held.move_to_end(sentence)
        return block

    def unpin(self, blocks: list[Held]) -> None:
        for block in blocks:
            block.pins -= 1
        self.forgotten = [block for block in self.forgotten if block.pins]

    def make_room(self) -> bool:
        while len(self.held) + len(self.forgotten) == CAPACITY:
            idle = next((text for text, block in self.held.items() if not block.pins), None)
            if idle is None:
                return False
            del self.held[idle]
            self.evictions += 1
        return True


MemoryMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMemoryMachine = MemoryMachine.TestCase


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_blocks_of_all_lengths_are_whole_while_leased_and_none_is_lost(
    asked: list[tuple[int, int]],
) -> None:
    """Keeps the last two leases, so that free room comes in up to three pieces.

    Of 24 slots 14 are left at least, so one piece has five: enough for any block.
    """
    memory, leases = memory_of(24), list[tuple[Lease, str]]()
    for mark, length in asked:
        sentence = f"{mark} x{length}"
        leases.append((memory.lease([(sentence, sentence)]), sentence))
        if len(leases) == 3:
            leases.pop(0)[0].release()
        for lease, leased in leases:
            assert holds(memory, int(lease.rows[0]), leased)
    for lease, _ in leases:
        lease.release()
    with memory.lease([("all", "1 x24")]) as lease:
        assert holds(memory, int(lease.rows[0]), "1 x24")


SIZE = 20


@given(st.lists(st.integers(1, 8) | st.integers(-8, -1), max_size=60))
def test_free_runs_never_overlap_and_join_again(steps: list[int]) -> None:
    """A positive step takes that many slots; a negative one gives back a run taken before."""
    space, taken, owner = _FreeSpace(SIZE), list[tuple[int, int]](), torch.zeros(SIZE)
    for step in steps:
        if step > 0:
            start = space.take(step)
            room = _longest_free(owner)
            assert (start is not None) == (room >= step)
            if start is not None:
                assert 0 <= start <= SIZE - step
                assert not owner[start : start + step].any()
                owner[start : start + step] = 1
                taken.append((start, step))
        elif taken:
            start, length = taken.pop(step % len(taken))
            space.give(start, length)
            owner[start : start + length] = 0
    for start, length in taken:
        space.give(start, length)
    assert space.take(SIZE) == 0
    assert space.take(1) is None


def _longest_free(owner: torch.Tensor) -> int:
    runs = "".join("x" if used else "." for used in owner.tolist()).split("x")
    return max(map(len, runs))
