from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch

from benchmarks.schema import BenchmarkError
from benchmarks.speed import op as timing
from benchmarks.speed.op import measure, must_read, take_turns, using
from benchmarks.speed.op_flex import flex
from benchmarks.speed.op_report import table
from benchmarks.speed.op_rivals import (
    RIVALS,
    TOKENS,
    Arena,
    Ask,
    K,
    Shape,
    dense_sdpa,
    gather_sdpa,
    op,
    reference,
)

SMALL = Shape(4, 2, 8)


def ask(candidates: int, queries: int = 3, blocks: int = 40) -> Ask:
    random = torch.Generator().manual_seed(candidates)
    q = torch.randn(1, SMALL.heads, queries, SMALL.dim, generator=random)
    chosen = torch.randperm(blocks, generator=random)[None, :candidates]
    return Ask(Arena.of(SMALL, blocks), q, chosen)


@pytest.mark.parametrize("queries", [1, 5])
def test_the_rivals_that_select_compute_what_the_operator_does(queries: int) -> None:
    put = ask(20, queries)
    for rival in (gather_sdpa, reference):
        torch.testing.assert_close(rival(put), op(put))


@pytest.mark.slow
@pytest.mark.skipif(" " in torch.__file__, reason="inductor cannot link from a path with a space")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, at compilation
def test_flex_attention_computes_what_the_operator_does() -> None:
    put = ask(20, queries=1)
    torch.testing.assert_close(flex(put), op(put))


def test_dense_attention_is_the_same_where_all_are_kept() -> None:
    put = ask(K)
    torch.testing.assert_close(dense_sdpa(put), op(put))


def test_an_arena_holds_blocks_one_behind_the_other() -> None:
    arena = Arena.of(SMALL, 600)
    assert arena.keys.shape == arena.values.shape == (600 * TOKENS, 2, 8)
    assert arena.summary.shape == (600, 2, 8)
    assert torch.equal(arena.start.diff(), torch.full((599,), TOKENS))


def test_what_must_be_read_is_counted_once() -> None:
    put = ask(K, queries=1)
    of_candidates = K * (2 * 8 * 2 + 20)
    of_tokens = 2 * K * TOKENS * 8 * 2 * 2  # heads, blocks, tokens, dim, bytes, keys and values
    assert must_read(put) == of_candidates + of_tokens
    many = ask(K, queries=9)
    assert must_read(many) == must_read(put)


def test_contenders_take_turns_over_the_same_candidates() -> None:
    called: list[tuple[str, int]] = []
    asks = [ask(9), ask(10), ask(11)]
    contenders = {
        name: lambda put, name=name: called.append((name, put.candidates.shape[1]))
        for name in ("op", "rival")
    }
    times = take_turns(contenders, asks, seconds=0.001)
    assert len(times["op"]) == len(times["rival"]) == (len(called) - 2) / 2 >= 5
    first, second = (10, 11, 9, 10), (11, 9, 10, 11)
    assert called[2:18] == [
        (name, columns) for turn in (first, second) for name in contenders for columns in turn
    ]


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with using(3):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before


def test_a_whole_measurement_can_be_shown_and_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_READ_BYTES", 1 << 16)
    steps: list[None] = []
    result = measure(
        RIVALS,
        seconds=0.001,
        arena_gb=0.001,
        shapes=[SMALL],
        queries=[1, 2],
        candidates=[16],
        threads=[1, 2],
        progress=lambda: steps.append(None),
    )
    assert len(result.rows) == len(steps) == 8
    assert len(result.scaling) == 4
    for row in result.rows:
        assert set(row.us) == set(RIVALS) and "op" not in row.over_op
        assert (row.of_bandwidth is None) == (row.gb_per_s is None) == (row.memory == "cache")
    text = table(result)
    assert text.count("H4 KVH2 D8") == 8 + 4
    assert "1 thread;" in text and "2 threads;" in text and "overhead" in text
    json.dumps(asdict(result))


def test_an_arena_too_small_for_the_candidates_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="give the arenas more"):
        measure(RIVALS, seconds=0.001, arena_gb=1e-6, shapes=[SMALL], threads=[1])
