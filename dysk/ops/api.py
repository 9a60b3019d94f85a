"""The public function and its registration, ``torch.ops.dysk.sparse_knowledge_attention``.

Checks of shapes, types and values happen inside the operator, whoever computes it: looking at eight
tensors from Python would cost half as much as a small call.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dysk.ops import autograd, native, reference, triton_loading
from dysk.ops.validation import check_arguments, check_values

NAME = "dysk::sparse_knowledge_attention"
REFERENCE = "dysk::sparse_knowledge_attention_reference"

Result = tuple[Tensor, Tensor, Tensor]
"""out, lse, selected."""


def sparse_knowledge_attention(
    q: Tensor,
    k_arena: Tensor,
    v_arena: Tensor,
    summary: Tensor,
    block_start: Tensor,
    block_len: Tensor,
    candidates: Tensor,
    prior: Tensor | None,
    k: int,
    scale: float,
    temperature: float = 1.0,
    check_indices: bool = True,
) -> Result:
    """Let every query choose k of its row's candidate facts and attend to their tokens.

    Args:
        q: queries [B, H, Q, D]; float32, float64, bfloat16 or float16.
        k_arena: keys of all facts' tokens [S, KVH, D]; any of these types. H is a multiple of KVH.
        v_arena: values, shaped and typed as ``k_arena``.
        summary: one key per block and head, by which a block is chosen; [F, KVH, D], typed as
            ``k_arena``.
        block_start: first slot of each block, i64 [F].
        block_len: slots of each block, i32 [F]; 0 is allowed.
        candidates: block ids, i64 [B, C]; −1 pads, and a repetition counts as −1.
        prior: added to every logit of a candidate's tokens and to its score, [B, C], float32
            (float64 with float64 queries); −inf closes the block. None is all zeros.
        k: blocks to keep for each row, key/value head and query token.
        scale: factor of q·k, usually D**−0.5.
        temperature: logits are q·k·scale/temperature + prior.
        check_indices: look at the values of candidates, block bounds and prior. Switch off only
            where the caller made them: a wrong index then reads whatever it points at.

    Returns:
        out [B, H, Q, D] in q's type; lse, the log of the sum of exp(logits), [B, H, Q] in float32
        (float64 with float64 queries); selected, the ids of the blocks read, i64 [B, KVH, Q, k] in
        candidate order, then −1. A query that read no token gets out = 0 and lse = −inf.

    Raises:
        ValueError: shapes, types or devices do not fit, k < 0, temperature ≤ 0, prior NaN or +inf.
        IndexError: a candidate names no block, or its block lies outside the arena.

    Gradients flow from out and lse to q, both arenas and prior. docs/op.md has the mathematics.
    """
    arguments = (
        *(q, k_arena, v_arena, summary, block_start, block_len),
        *(candidates, prior, k, scale, temperature),
    )
    try:
        result: Result = _operator(*arguments, check_indices)
    except ValueError:
        check_arguments(*arguments)  # The CPU kernel knows that something is wrong; this says what.
        raise
    return result


_SCHEMA = (
    "(Tensor q, Tensor k_arena, Tensor v_arena, Tensor summary, Tensor block_start, "
    "Tensor block_len, Tensor candidates, Tensor? prior, int k, float scale, "
    "float temperature=1.0, bool check_indices=True) -> (Tensor out, Tensor lse, Tensor selected)"
)
torch.library.define(NAME, _SCHEMA)
torch.library.define(REFERENCE, _SCHEMA)
_operator = torch.ops.dysk.sparse_knowledge_attention.default


def _compute(*arguments: Any) -> Result:
    """For every device that has no kernel of its own, and for the first call on a CPU or GPU."""
    q = arguments[0]
    if (q.is_cpu and native.load()) or (q.is_cuda and triton_loading.load()):
        # From now on such tensors go to their kernel by themselves and do not pass here.
        result: Result = _operator(*arguments)
        return result
    return _compute_by_reference(*arguments)


def _compute_by_reference(
    q: Tensor,
    k_arena: Tensor,
    v_arena: Tensor,
    summary: Tensor,
    block_start: Tensor,
    block_len: Tensor,
    candidates: Tensor,
    prior: Tensor | None,
    k: int,
    scale: float,
    temperature: float = 1.0,
    check_indices: bool = True,
) -> Result:
    arguments = (
        *(q, k_arena, v_arena, summary, block_start, block_len),
        *(candidates, prior, k, scale, temperature),
    )
    check_arguments(*arguments)
    if check_indices:
        check_values(k_arena.shape[0], block_start, block_len, candidates, prior)
    return reference.sparse_knowledge_attention(*arguments)


def _shapes(*arguments: Any) -> Result:
    check_arguments(*arguments[:11])
    q, k_arena, candidates, k = (arguments[i] for i in (0, 1, 6, 8))
    batch, heads, queries, _ = q.shape
    return (
        q.new_empty(q.shape),
        q.new_empty((batch, heads, queries), dtype=reference.arithmetic_dtype(q)),
        candidates.new_empty((batch, k_arena.shape[1], queries, k)),
    )


torch.library.impl(NAME, "default", _compute)
torch.library.impl(REFERENCE, "default", _compute_by_reference)
torch.library.register_fake(NAME, _shapes)
torch.library.register_autograd(NAME, autograd.backward, setup_context=autograd.save)
