"""What a kernel in float32 arithmetic must agree with."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dysk.ops import reference
from tests.dysk.ops.cases import Case, Result


def assert_computes(case: Case) -> Result:
    """What the op returns for a case in float32 or narrower is right to float32 precision.

    Its selection must be a best one, since of two scores that differ by a rounding either may win;
    out and lse must be those of the float64 reference over that selection.
    """
    out, lse, selected = case.run()
    wide = case.in_type(torch.float64)
    assert_is_a_best_selection(wide, selected)
    want_out, want_lse = attend(wide, selected)
    arithmetic = torch.finfo(torch.float32).eps
    # The rounding of a dot product grows with what is summed, and logits with it.
    terms = case.q.shape[-1] * greatest(wide.q) * greatest(wide.k_arena) * case.scale
    error = 2 * arithmetic * (4 + terms / case.temperature)
    torch.testing.assert_close(lse.double(), want_lse, rtol=8 * arithmetic, atol=error)
    tolerance = error + torch.finfo(out.dtype).eps
    torch.testing.assert_close(out.double(), want_out, rtol=tolerance, atol=tolerance)
    return out, lse, selected


def greatest(x: Tensor) -> float:
    """The greatest magnitude of the numbers in x."""
    return float(x.nan_to_num().abs().amax()) if x.numel() else 0.0


def attend(case: Case, selected: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax attention over the given blocks by the reference: out and lse."""
    tokens = reference.tokens_of(selected, case.block_start, case.block_len)
    bias = None
    if case.prior is not None:
        position = reference.positions_of(selected, case.candidates)
        bias = reference.take(case.prior, position, padding=0)
    logits = reference.token_logits(
        case.q, case.k_arena, tokens, bias, case.scale / case.temperature
    )
    lse = logits.logsumexp(-1)
    values = reference.gather(case.v_arena, tokens, logits.dtype)
    out = torch.einsum("bhgqt,bhqtd->bhgqd", reference.probabilities(logits, lse), values)
    return out.flatten(1, 2), lse.flatten(1, 2)


def assert_is_a_best_selection(case: Case, selected: Tensor) -> None:
    """As the reference's, or as good up to rounding; in the order of the candidates."""
    want = torch.ops.dysk.sparse_knowledge_attention_reference(*case.arguments)[2]
    for b, head, query in (selected != want).any(-1).nonzero().tolist():
        mine, theirs = (x[b, head, query].tolist() for x in (selected, want))
        row = case.candidates[b].tolist()
        assert [row.index(x) for x in mine] == sorted({row.index(x) for x in mine})
        assert len(mine) == len(theirs)
        of_mine = sorted(_score(case, b, head, query, row.index(x)) for x in mine)
        of_theirs = sorted(_score(case, b, head, query, row.index(x)) for x in theirs)
        assert of_mine == pytest.approx(of_theirs, abs=1e-5, rel=1e-5)


def _score(case: Case, b: int, head: int, query: int, column: int) -> float:
    group = case.q.shape[1] // case.k_arena.shape[1]
    heads = slice(head * group, (head + 1) * group)
    key = case.summary[case.candidates[b, column], head]
    content = case.q[b, heads, query].mean(0) @ key * case.scale / case.temperature
    return float(content) + (0.0 if case.prior is None else float(case.prior[b, column]))
