"""The fact memory: what is leased is there and stays, what is forgotten is gone."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from dysk.attention import FactMemory, MemoryBudgetExceeded
from tests.dysk.attention.marked import (
    DIM,
    KV_HEADS,
    LAYERS,
    TOKEN_BYTES,
    Encoder,
    facts,
    holds,
    memory_of,
    read,
    traces,
)


def test_blocks_of_any_length_are_kept_exactly() -> None:
    def encode(sentences: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
        torch.manual_seed(0)
        return [
            tuple(torch.randn(2, LAYERS, len(sentence), KV_HEADS, DIM)) for sentence in sentences
        ]

    sentences = ["a", "three", "of them, of several lengths"]
    for dtype in (torch.float32, torch.bfloat16):
        memory = FactMemory(
            encode,
            layers=LAYERS,
            kv_heads=KV_HEADS,
            head_dim=DIM,
            budget_bytes=1 << 16,
            dtype=dtype,
        )
        with memory.lease([(text, text) for text in sentences]) as lease:
            for row, (keys, values) in zip(lease.rows.tolist(), encode(sentences), strict=True):
                held_keys, held_values = read(memory, row)
                assert torch.equal(held_keys, keys.to(dtype))
                assert torch.equal(held_values, values.to(dtype))
                assert torch.equal(memory.summary[:, row], keys.mean(1).to(dtype))


def test_rows_come_in_the_order_asked_for() -> None:
    memory = memory_of(64)
    with memory.lease(facts(5, 3, 8)) as first, memory.lease(facts(1, 8, 2, 5)) as second:
        assert first.rows.dtype == torch.int64
        for mark, row in zip((1, 8, 2, 5), second.rows.tolist(), strict=True):
            assert holds(memory, row, f"{mark} x4")
        assert second.rows[1] == first.rows[2]
        assert len({*first.rows.tolist(), *second.rows.tolist()}) == 5


def test_what_is_missing_is_encoded_in_one_batch_and_only_once() -> None:
    encoder = Encoder()
    memory = memory_of(64, encoder)
    memory.lease(facts(1, 2, 1, 3)).release()
    memory.lease(facts(3, 4, 2, 5)).release()
    memory.lease(facts(5, 1)).release()
    memory.lease([]).release()
    assert encoder.calls == [["1 x4", "2 x4", "3 x4"], ["4 x4", "5 x4"]]
    stats = memory.stats
    assert (stats.misses, stats.hits, stats.evictions) == (5, 5, 0)
    assert (stats.blocks, stats.tokens, stats.bytes) == (5, 20, 20 * TOKEN_BYTES)


def test_facts_of_one_sentence_share_a_block_even_within_a_lease() -> None:
    encoder = Encoder()
    memory = memory_of(8, encoder)
    with memory.lease([("a", "7 x4"), ("b", "7 x4")]) as both:
        assert both.rows[0] == both.rows[1]
    assert encoder.calls == [["7 x4"]]
    # both pins are gone: two other blocks find room
    with memory.lease(facts(1, 2)):
        assert traces(memory, 7) == 0


def test_the_arenas_keep_to_the_budget_and_so_do_the_blocks() -> None:
    budget = 10 * TOKEN_BYTES + 17
    memory = FactMemory(
        Encoder(), layers=LAYERS, kv_heads=KV_HEADS, head_dim=DIM, budget_bytes=budget
    )
    assert budget - TOKEN_BYTES < memory.keys.nbytes + memory.values.nbytes <= budget
    for mark in range(1, 20):
        memory.lease(facts(mark, length=1 + mark % 5)).release()
        assert 0 < memory.stats.bytes <= memory.stats.budget_bytes == budget


def test_the_least_recently_leased_block_goes_first() -> None:
    encoder = Encoder()
    memory = memory_of(12, encoder)
    memory.lease(facts(1, 2, 3)).release()
    memory.lease(facts(1)).release()
    memory.lease(facts(4)).release()  # for 2
    memory.lease(facts(1, 3)).release()
    memory.lease(facts(5)).release()  # for 4
    memory.lease(facts(1, 3, 5)).release()
    assert encoder.calls == [["1 x4", "2 x4", "3 x4"], ["4 x4"], ["5 x4"]]
    assert memory.stats.evictions == 2


def test_leased_blocks_stay_put_whatever_else_comes() -> None:
    memory = memory_of(16)
    with memory.lease(facts(1, 2)) as lease:
        places = memory.start[lease.rows].tolist()
        for mark in range(10, 30):
            memory.lease(facts(mark)).release()
            assert holds(memory, int(lease.rows[0]), "1 x4")
            assert holds(memory, int(lease.rows[1]), "2 x4")
        assert memory.start[lease.rows].tolist() == places


def test_a_block_is_pinned_until_its_last_lease_is_released() -> None:
    memory = memory_of(8)
    first, second = memory.lease(facts(1, 2)), memory.lease(facts(1))
    first.release()
    first.release()  # again, which undoes nothing of the second
    with memory.lease(facts(3)), pytest.raises(MemoryBudgetExceeded):
        memory.lease(facts(4))
    assert holds(memory, int(second.rows[0]), "1 x4")
    second.release()
    memory.lease(facts(5, 6)).release()


def test_leaving_a_lease_by_an_error_releases_it() -> None:
    memory = memory_of(8)
    with pytest.raises(KeyError), memory.lease(facts(1, 2)):
        raise KeyError("unrelated")
    memory.lease(facts(3, 4)).release()


@pytest.mark.parametrize(
    "too_much", [facts(3, 4, 5), facts(3, length=9), [*facts(1), *facts(3, 4)]]
)
def test_too_much_for_the_budget_is_an_error_that_costs_nothing(
    too_much: list[tuple[str, str]],
) -> None:
    memory = memory_of(8)
    memory.lease(facts(1, 2)).release()
    with pytest.raises(MemoryBudgetExceeded, match="lower candidates or raise the budget") as error:
        memory.lease(too_much)
    assert error.value.code == "memory_budget"
    # nothing is left pinned, and what is leased next is right
    with memory.lease(facts(6, 7)) as lease:
        assert holds(memory, int(lease.rows[0]), "6 x4")
        assert holds(memory, int(lease.rows[1]), "7 x4")


def test_too_much_beside_what_is_pinned_leaves_what_is_pinned() -> None:
    memory = memory_of(12)
    with memory.lease(facts(1, 2)) as lease:
        with pytest.raises(MemoryBudgetExceeded):
            memory.lease(facts(2, 3, 4))
        assert holds(memory, int(lease.rows[0]), "1 x4")
        assert holds(memory, int(lease.rows[1]), "2 x4")
        with memory.lease(facts(1, 2, 5)) as other:
            assert holds(memory, int(other.rows[2]), "5 x4")


def test_many_blocks_of_one_token_take_turns_in_the_rows() -> None:
    memory = memory_of(16)
    assert len(memory.start) == 4
    for mark in range(1, 12):
        with memory.lease(facts(mark, length=1)) as lease:
            assert holds(memory, int(lease.rows[0]), f"{mark} x1")
    assert memory.stats.blocks == 4


def test_room_left_by_short_blocks_is_joined_for_a_long_one() -> None:
    memory = memory_of(16)
    memory.lease(facts(1, length=3) + facts(2, length=5) + facts(3, length=8)).release()
    with memory.lease(facts(4, length=16)) as lease:
        assert holds(memory, int(lease.rows[0]), "4 x16")
    assert memory.stats.blocks == 1


def test_a_failing_encoder_leaves_nothing_pinned() -> None:
    encoder = Encoder()
    memory = memory_of(8, encoder)
    memory.lease(facts(1)).release()
    encoder.broken = True
    with pytest.raises(OSError, match="the model is gone"):
        memory.lease(facts(1, 2))
    encoder.broken = False
    with memory.lease(facts(3, 4)) as lease:
        assert holds(memory, int(lease.rows[1]), "4 x4")
    assert traces(memory, 1) == 0


# -- forgetting ------------------------------------------------------------------------------


def test_forgetting_leaves_no_trace_and_the_next_lease_encodes_again() -> None:
    encoder = Encoder()
    memory = memory_of(64, encoder)
    memory.lease(facts(1, 2, 3)).release()
    assert memory.forget(["f1", "f3", "never seen"]) == 2
    assert traces(memory, 1) == traces(memory, 3) == 0
    assert memory.stats.blocks == 1
    assert memory.forget(["f1"]) == 0
    with memory.lease(facts(1, 2)) as lease:
        assert holds(memory, int(lease.rows[0]), "1 x4")
        assert holds(memory, int(lease.rows[1]), "2 x4")
    assert encoder.calls[1:] == [["1 x4"]]


def test_every_sentence_that_ever_stood_for_a_fact_is_forgotten() -> None:
    memory = memory_of(64)
    memory.lease([("a", "1 x4"), ("b", "2 x4")]).release()
    memory.lease([("a", "3 x4"), ("b", "1 x4")]).release()
    assert memory.forget(["a"]) == 2
    assert traces(memory, 1) == traces(memory, 3) == 0
    assert traces(memory, 2) > 0


def test_a_fact_forgotten_after_its_block_was_evicted_leaves_no_trace_either() -> None:
    memory = memory_of(8)
    memory.lease(facts(1, 2)).release()
    memory.lease(facts(3, length=1)).release()  # takes the room of 1, and needs a quarter of it
    assert memory.forget(["f1"]) == 0
    assert traces(memory, 1) == 0


def test_a_block_forgotten_while_it_is_read_is_blank_at_once() -> None:
    memory = memory_of(64)
    with memory.lease(facts(1, 2)) as lease:
        assert memory.forget(["f1"]) == 1
        assert traces(memory, 1) == 0
        assert holds(memory, int(lease.rows[0]), "0 x4")
        assert holds(memory, int(lease.rows[1]), "2 x4")


def test_slots_of_a_forgotten_block_are_not_reused_while_it_is_read() -> None:
    memory = memory_of(8)
    lease = memory.lease(facts(1))
    memory.forget(["f1"])
    with memory.lease(facts(2)), pytest.raises(MemoryBudgetExceeded):
        memory.lease(facts(3))
    assert holds(memory, int(lease.rows[0]), "0 x4")
    lease.release()
    memory.lease(facts(3, 4)).release()


def test_a_fact_leased_again_while_its_forgotten_block_is_read_gets_a_block_of_its_own() -> None:
    memory = memory_of(12)
    old = memory.lease(facts(1))
    memory.forget(["f1"])
    new = memory.lease(facts(1))
    assert new.rows[0] != old.rows[0]
    old.release()
    # which unpinned the old block, not the new one
    memory.lease(facts(2, 3)).release()
    assert holds(memory, int(new.rows[0]), "1 x4")
    new.release()
    memory.lease(facts(4, 5, 6)).release()
    assert traces(memory, 1) == 0


# -- threads ---------------------------------------------------------------------------------


def test_threads_that_lease_at_once_each_read_their_own_facts() -> None:
    memory, wrong = memory_of(48), list[str]()
    start = threading.Barrier(4)

    def lease_often(number: int) -> None:
        start.wait()
        for turn in range(40):
            marks = [1 + (number * 7 + turn * step) % 23 for step in (1, 2, 5)]
            with memory.lease(facts(*marks)) as lease:
                for mark, row in zip(marks, lease.rows.tolist(), strict=True):
                    if not holds(memory, row, f"{mark} x4"):
                        wrong.append(f"{mark} in turn {turn} of thread {number}")

    threads = [threading.Thread(target=lease_often, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    stats = memory.stats
    assert stats.hits + stats.misses == 4 * 40 * 3
    assert stats.misses == stats.evictions + stats.blocks
    memory.lease(facts(*range(50, 62))).release()  # all twelve blocks: nothing is pinned any more


def leased_in_a_thread(memory: FactMemory, *marks: int) -> tuple[threading.Thread, list[int]]:
    """A thread that leases these facts, and once it has them what it read of them."""
    marks_read: list[int] = []

    def lease() -> None:
        with memory.lease(facts(*marks)) as leased:
            marks_read.extend(int(read(memory, int(row))[0][0, 0, 0, 0]) for row in leased.rows)

    thread = threading.Thread(target=lease, daemon=True)
    thread.start()
    return thread, marks_read


def test_who_finds_no_room_beside_others_waits_until_they_are_done() -> None:
    memory = memory_of(8)
    with memory.lease(facts(1)), memory.lease(facts(2)) as two:
        thread, marks_read = leased_in_a_thread(memory, 3, 4)
        two.release()
        thread.join(0.1)  # room for one only
        assert thread.is_alive()
    thread.join(10)
    assert marks_read == [3, 4]


def test_who_needs_more_than_there_is_does_not_wait() -> None:
    memory = memory_of(8)
    memory.lease(facts(1)).release()
    with pytest.raises(MemoryBudgetExceeded):
        memory.lease(facts(2, 3, 4))


def test_facts_at_hand_are_leased_while_others_are_being_encoded() -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Encoder):
        def __call__(self, sentences: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
            if sentences != ["1 x4"]:
                begun.set()
                assert go_on.wait(10)
            return super().__call__(sentences)

    encoder = Slow()
    memory = memory_of(16, encoder)
    memory.lease(facts(1)).release()
    threads = [leased_in_a_thread(memory, 1, 2) for _ in range(2)]
    assert begun.wait(10)
    with memory.lease(facts(1)) as lease:
        assert holds(memory, int(lease.rows[0]), "1 x4")
    go_on.set()
    for thread, marks_read in threads:
        thread.join(10)
        assert marks_read == [1, 2]
    assert encoder.calls == [["1 x4"], ["2 x4"]]
