"""Arguments spoilt at random: the op refuses them, by either entrance, before it reads anything.

A wild read would show as the end of the process. ``python -m tests.dysk.ops.test_bad_input_fuzzed
100000`` tries so many.
"""

from __future__ import annotations

import math
import random
import sys
from typing import Any

import pytest
import torch

from tests.dysk.ops.cases import Case, make_case

INDICES = (-(2**63), -(2**40), -2, 6, 7, 2**31, 2**40, 2**63 - 1)
"""None is a block of a memory of six."""
STARTS = (-(2**63), -(2**40), -1, 10**6, 2**40, 2**63 - 1)
LENGTHS = (-(2**31), -1, 10**6, 2**31 - 1)
TENSORS = (
    *("q", "k_arena", "v_arena", "summary", "block_start", "block_len", "candidates", "prior"),
)
OTHER_TYPES = (torch.int16, torch.int32, torch.int64, torch.float64, torch.bool, torch.complex64)


def healthy(chance: random.Random) -> Case:
    dtype = chance.choice((torch.float32, torch.bfloat16, torch.float16, torch.float64))
    arena = chance.choice((torch.float32, torch.bfloat16, torch.float16, dtype))
    case = make_case(
        chance.randrange(10**6),
        batch=chance.randint(1, 3),
        queries=chance.randint(1, 3),
        columns=chance.choice((1, 3, 6)),
        k=chance.randint(0, 7),
        repeats=chance.random() < 0.3,
    )
    return case.in_type(dtype, arena)


def spoilt(case: Case, chance: random.Random) -> tuple[Case, str]:
    """The case with one thing wrong, and what."""
    spoil = chance.choice(
        (_a_candidate, _a_start, _a_length, _a_prior, _a_type, _a_shape, _a_number)
    )
    return spoil(case, chance), spoil.__name__


def _with(case: Case, name: str, place: Any, value: float) -> Case:
    x = getattr(case, name).clone()
    x[place] = value
    return case.but(**{name: x})


def _somewhere(case: Case, chance: random.Random) -> tuple[int, int]:
    return tuple(chance.randrange(size) for size in case.candidates.shape)  # type: ignore[return-value]


def _a_candidate(case: Case, chance: random.Random) -> Case:
    return _with(case, "candidates", _somewhere(case, chance), chance.choice(INDICES))


def _a_start(case: Case, chance: random.Random) -> Case:
    block = case.candidates[_somewhere(case, chance)]
    return _with(case, "block_start", block, chance.choice(STARTS))


def _a_length(case: Case, chance: random.Random) -> Case:
    block = case.candidates[_somewhere(case, chance)]
    return _with(case, "block_len", block, chance.choice(LENGTHS))


def _a_prior(case: Case, chance: random.Random) -> Case:
    return _with(case, "prior", _somewhere(case, chance), chance.choice((math.nan, math.inf)))


def _a_type(case: Case, chance: random.Random) -> Case:
    name = chance.choice(TENSORS)
    x = getattr(case, name)
    allowed = {x.dtype, torch.float64} if name == "q" and case.prior is None else {x.dtype}
    return case.but(**{name: x.to(chance.choice([t for t in OTHER_TYPES if t not in allowed]))})


def _a_shape(case: Case, chance: random.Random) -> Case:
    name = chance.choice(TENSORS)
    x = getattr(case, name)
    dim = chance.randrange(x.dim())
    changes = [x[None], x.flatten(), torch.cat([x, x.narrow(dim, 0, 1)], dim)]
    if name in ("k_arena", "v_arena") and dim == 0:
        changes.pop()  # with both longer by a slot nothing would be wrong; with one it is
        changes.append(x[:-1])
    if name == "q" and dim == 2:
        changes.pop()  # a query more is as good
    shapes = [y for y in changes if y.shape != x.shape]
    return case.but(**{name: chance.choice(shapes)})


def _a_number(case: Case, chance: random.Random) -> Case:
    return case.but(
        **chance.choice(
            (
                *({"k": -1}, {"k": -(2**40)}, {"scale": math.nan}, {"scale": -math.inf}),
                *({"temperature": 0.0}, {"temperature": -0.5}, {"temperature": math.nan}),
            )
        )
    )


def try_one(seed: int) -> None:
    """A healthy case runs; spoilt, both entrances refuse it with one kind of error."""
    chance = random.Random(seed)
    case = healthy(chance)
    case.run()
    broken, what = spoilt(case, chance)
    kinds = (IndexError,) if what in ("_a_candidate", "_a_start", "_a_length") else (ValueError,)
    for entrance in (Case.run, lambda c: torch.ops.dysk.sparse_knowledge_attention(*c.arguments)):
        with pytest.raises(kinds) as refused:
            entrance(broken)
        assert len(str(refused.value)) > 15, what


def test_whatever_is_wrong_is_refused() -> None:
    for seed in range(400):
        try_one(seed)


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        try_one(number)
    print(f"{int(sys.argv[1]):,} spoilt calls were refused")
