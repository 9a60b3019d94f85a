"""The definition once more, in loops over numbers that share no line with the package."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.dysk.ops.cases import Case, Result


def assert_same(one: Tensor, other: Tensor) -> None:
    """Equal but for the rounding of float64."""
    torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)


def expected(case: Case) -> Result:
    """What the op must return, in float64."""
    selected = select(case)
    return *attend(case, selected), selected


def select(case: Case) -> Tensor:
    """The k candidates of the highest score, by repeatedly taking the best that is left."""
    batch, heads, queries, _ = case.q.shape
    kv_heads = case.k_arena.shape[1]
    selected = torch.full((batch, kv_heads, queries, case.k), -1)
    for b in range(batch):
        left_to_right = _columns_that_count(case, b)
        for head in range(kv_heads):
            group = range(head * heads // kv_heads, (head + 1) * heads // kv_heads)
            for token in range(queries):
                scores = {c: _score(case, b, head, group, token, c) for c in left_to_right}
                left, chosen = list(left_to_right), list[int]()
                while left and len(chosen) < case.k:
                    # max() keeps the first of equals: ties go to the earlier candidate
                    best = max(left, key=scores.__getitem__)
                    left.remove(best)
                    chosen.append(best)
                for place, column in enumerate(sorted(chosen)):
                    selected[b, head, token, place] = case.candidates[b, column]
    return selected


def attend(case: Case, selected: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax attention over the tokens of the given blocks: out and lse."""
    q = case.q.double()
    batch, heads, queries, _ = q.shape
    kv_heads = case.k_arena.shape[1]
    out, lse = torch.zeros_like(q), torch.full(q.shape[:3], -math.inf, dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            head = h * kv_heads // heads
            for token in range(queries):
                logits, values = [], []
                for block in selected[b, head, token].tolist():
                    for slot in slots_of(case, block):
                        key = case.k_arena[slot, head].double()
                        dot = float(q[b, h, token] @ key)
                        logits.append(dot * case.scale / case.temperature + _prior(case, b, block))
                        values.append(case.v_arena[slot, head].double())
                if logits:
                    top = max(logits)
                    weights = [math.exp(x - top) for x in logits]
                    total = sum(weights)
                    lse[b, h, token] = top + math.log(total)
                    for weight, value in zip(weights, values, strict=True):
                        out[b, h, token] += weight / total * value
    return out, lse


def slots_of(case: Case, block: int) -> range:
    """The arena slots of a block; none for −1."""
    if block < 0:
        return range(0)
    start = int(case.block_start[block])
    return range(start, start + int(case.block_len[block]))


def _columns_that_count(case: Case, b: int) -> list[int]:
    seen: set[int] = set()
    columns = []
    for column, block in enumerate(case.candidates[b].tolist()):
        if block < 0 or block in seen:
            continue
        seen.add(block)
        if case.prior is None or float(case.prior[b, column]) > -math.inf:
            columns.append(column)
    return columns


def _score(case: Case, b: int, head: int, group: range, token: int, column: int) -> float:
    key = case.summary[int(case.candidates[b, column]), head].double()
    dots = [float(case.q[b, h, token].double() @ key) for h in group]
    prior = 0.0 if case.prior is None else float(case.prior[b, column])
    return sum(dots) / len(dots) * case.scale / case.temperature + prior


def _prior(case: Case, b: int, block: int) -> float:
    if case.prior is None:
        return 0.0
    return float(case.prior[b, case.candidates[b].tolist().index(block)])
