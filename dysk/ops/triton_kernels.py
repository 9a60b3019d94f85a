"""Sparse knowledge attention for a GPU, in Triton: four kernels, in the order in which they run.

Shapes are named as in docs/op.md. Where an argument is a tensor of one type and fixed layout, its
shape stands in the docstring; arenas, summaries and queries come with their strides. Names in
capitals are known when a kernel is compiled. Every tile that multiplies is padded to a power of
two and to 16, the least that ``tl.dot`` takes; what is padded is never read from memory.

Rows of a tile are read with masks, so NaN in slots that are not read cannot enter: 0 · NaN is NaN.
"""

import triton
import triton.language as tl

NEG_INF = tl.constexpr(float("-inf"))
LAST = tl.constexpr(-(2**63))
"""A rank below that of every candidate."""
FIRST = tl.constexpr(2**63 - 1)


@triton.jit
def eligible_kernel(
    candidates: tl.tensor,
    prior: tl.tensor,
    eligible: tl.tensor,
    columns: tl.tensor,
    HAS_PRIOR: tl.constexpr,
    TILE: tl.constexpr,
) -> None:
    """eligible i64[B, C]: each row's candidates, −1 for repetitions and closed blocks.

    A program looks at one tile of columns, and compares it with all columns before.
    """
    row = tl.program_id(0).to(tl.int64) * columns
    begin = tl.program_id(1) * TILE
    column = begin + tl.arange(0, TILE)
    block = tl.load(candidates + row + column, mask=column < columns, other=-1)
    keep = block >= 0
    for first in range(0, begin + TILE, TILE):
        earlier = first + tl.arange(0, TILE)
        other = tl.load(candidates + row + earlier, mask=earlier < columns, other=-1)
        same = (block[:, None] == other[None, :]) & (earlier[None, :] < column[:, None])
        keep &= tl.max(same.to(tl.int32), 1) == 0
    if HAS_PRIOR:
        keep &= tl.load(prior + row + column, mask=column < columns, other=NEG_INF) > NEG_INF
    tl.store(eligible + row + column, tl.where(keep, block, -1), mask=column < columns)


@triton.jit
def score_kernel(
    q: tl.tensor,
    summary: tl.tensor,
    eligible: tl.tensor,
    prior: tl.tensor,
    scores: tl.tensor,
    scale: tl.tensor,
    columns: tl.tensor,
    kv_heads: tl.tensor,
    queries: tl.tensor,
    q_batch: tl.tensor,
    q_head: tl.tensor,
    q_query: tl.tensor,
    summary_block: tl.tensor,
    summary_head: tl.tensor,
    summary_dim: tl.tensor,
    HAS_PRIOR: tl.constexpr,
    GROUP: tl.constexpr,
    DIM: tl.constexpr,
    DIM_TILE: tl.constexpr,
    QUERIES: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """scores f32[B, KVH, Q, C]: mean over the group of q·summary·scale, plus the prior.

    A program scores a tile of columns for a tile of queries. Always in float32, not TF32: which
    blocks are read must not depend on the device.
    """
    tiles = tl.cdiv(queries, QUERIES)
    pair = (tl.program_id(0) // tiles).to(tl.int64)  # of batch row and key/value head
    row, head = pair // kv_heads, pair % kv_heads
    query = tl.program_id(0) % tiles * QUERIES + tl.arange(0, QUERIES)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    dim = tl.arange(0, DIM_TILE)

    block = tl.load(eligible + row * columns + column, mask=column < columns, other=-1)
    at = block[:, None] * summary_block + head * summary_head + dim[None, :] * summary_dim
    keys = tl.load(summary + at, mask=(block >= 0)[:, None] & (dim < DIM)[None, :], other=0.0)

    q += row * q_batch + head * GROUP * q_head
    token = query.to(tl.int64)[:, None] * q_query + dim[None, :]
    there = (query < queries)[:, None] & (dim < DIM)[None, :]
    mean = tl.zeros([QUERIES, DIM_TILE], tl.float32)
    for member in range(GROUP):
        mean += tl.load(q + member * q_head + token, mask=there, other=0.0).to(tl.float32)
    mean = mean / GROUP

    score = tl.dot(mean, tl.trans(keys.to(tl.float32)), input_precision="ieee") * scale
    if HAS_PRIOR:
        bias = tl.load(prior + row * columns + column, mask=column < columns, other=0.0)
        score += bias[None, :]
    at = (pair * queries + query)[:, None] * columns + column[None, :]
    tl.store(scores + at, score, mask=(query < queries)[:, None] & (column < columns)[None, :])


@triton.jit
def select_kernel(
    scores: tl.tensor,
    eligible: tl.tensor,
    prior: tl.tensor,
    selected: tl.tensor,
    bias: tl.tensor,
    columns: tl.tensor,
    kv_heads: tl.tensor,
    queries: tl.tensor,
    first_query: tl.tensor,
    all_queries: tl.tensor,
    k: tl.tensor,
    HAS_PRIOR: tl.constexpr,
    KEEP_ALL: tl.constexpr,
    TILE: tl.constexpr,
    K_TILE: tl.constexpr,
) -> None:
    """selected i64[B, KVH, all_queries, k] and, with a prior, that of each block, bias f32[same].

    A program serves one query of scores [B, KVH, queries, C], the first of which is number
    ``first_query`` of all. It finds the rank of the k-th best in k passes, then keeps, in candidate
    order, whatever ranks as high. Ranks differ, so those are at most k.
    """
    pair = (tl.program_id(0) // queries).to(tl.int64)
    query = tl.program_id(0) % queries
    row = pair // kv_heads
    eligible += row * columns
    scores += (pair * queries + query) * columns
    threshold = tl.full([], FIRST, tl.int64)
    if not KEEP_ALL:
        for _ in range(k):
            best = tl.full([], LAST, tl.int64)
            for begin in range(0, columns, TILE):
                column = begin + tl.arange(0, TILE)
                block = tl.load(eligible + column, mask=column < columns, other=-1)
                score = tl.load(scores + column, mask=column < columns, other=0.0)
                rank = _rank(score, column, block >= 0)
                best = tl.maximum(best, tl.max(tl.where(rank < threshold, rank, LAST), 0))
            threshold = best

    at = (pair * all_queries + first_query + query) * k
    found = tl.full([], 0, tl.int32)
    for begin in range(0, columns, TILE):
        column = begin + tl.arange(0, TILE)
        block = tl.load(eligible + column, mask=column < columns, other=-1)
        keep = block >= 0
        if not KEEP_ALL:
            score = tl.load(scores + column, mask=column < columns, other=0.0)
            keep &= _rank(score, column, keep) >= threshold
        place = at + found + tl.cumsum(keep.to(tl.int32), 0) - 1
        tl.store(selected + place, block, mask=keep)
        if HAS_PRIOR:
            theirs = tl.load(prior + row * columns + column, mask=keep, other=0.0)
            tl.store(bias + place, theirs, mask=keep)
        found += tl.sum(keep.to(tl.int32), 0)
    for begin in range(0, k, K_TILE):
        place = begin + tl.arange(0, K_TILE)
        tl.store(selected + at + place, -1, mask=(place >= found) & (place < k))


@triton.jit
def _rank(score: tl.tensor, column: tl.tensor, eligible: tl.tensor) -> tl.tensor:
    """i64, ordered as torch sorts: by score, NaN above all, and of equals the earlier column first.

    No two columns have one rank; those that are not eligible come last.
    """
    score = tl.where(score == 0, 0.0, score)  # −0 equals 0
    bits = score.to(tl.int32, bitcast=True)
    ordered = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    ordered = tl.where(score == score, ordered, 0x7FFFFFFF)
    rank = (ordered.to(tl.int64) << 32) + (0x7FFFFFFF - column)
    return tl.where(eligible, rank, LAST)


@triton.jit
def attend_kernel(
    q: tl.tensor,
    k_arena: tl.tensor,
    v_arena: tl.tensor,
    block_start: tl.tensor,
    block_len: tl.tensor,
    selected: tl.tensor,
    bias: tl.tensor,
    out: tl.tensor,
    lse: tl.tensor,
    scale: tl.tensor,
    kv_heads: tl.tensor,
    queries: tl.tensor,
    k: tl.tensor,
    q_batch: tl.tensor,
    q_head: tl.tensor,
    q_query: tl.tensor,
    k_slot: tl.tensor,
    k_head: tl.tensor,
    k_dim: tl.tensor,
    v_slot: tl.tensor,
    v_head: tl.tensor,
    v_dim: tl.tensor,
    filled: tl.tensor,
    HAS_PRIOR: tl.constexpr,
    NARROW: tl.constexpr,
    PRECISION: tl.constexpr,
    GROUP: tl.constexpr,
    DIM: tl.constexpr,
    DIM_TILE: tl.constexpr,
    QUERIES: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCKS: tl.constexpr,
    TOKENS: tl.constexpr,
) -> None:
    """out [B, H, Q, D] and lse f32[B, H, Q] of softmax attention to the selected blocks.

    A program serves all query heads of one key/value head for QUERIES query tokens that selected
    the same blocks: a tile of ROWS ≥ QUERIES · GROUP rows. It walks through the first ``filled``
    places of their selection, BLOCKS blocks at a time and TOKENS tokens of each, with the running
    maximum and sum of FlashAttention. NARROW: q and arenas are of one 16-bit type, and are
    multiplied as such; others are multiplied as float32, in PRECISION.
    """
    tiles = tl.cdiv(queries, QUERIES)
    pair = (tl.program_id(0) // tiles).to(tl.int64)
    batch, kv_head = pair // kv_heads, pair % kv_heads
    first = tl.program_id(0) % tiles * QUERIES
    row = tl.arange(0, ROWS)
    query = first + row // GROUP
    head = kv_head * GROUP + row % GROUP
    dim = tl.arange(0, DIM_TILE)
    real = (row < QUERIES * GROUP) & (query < queries)
    there = real[:, None] & (dim < DIM)[None, :]

    at = batch * q_batch + head * q_head + query.to(tl.int64) * q_query
    queried = tl.load(q + at[:, None] + dim[None, :], mask=there, other=0.0)
    selection = (pair * queries + first) * k

    top = tl.full([ROWS], NEG_INF, tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    sum_of_values = tl.zeros([ROWS, DIM_TILE], tl.float32)
    for begin in range(0, filled, BLOCKS):
        place = begin + tl.arange(0, BLOCKS)
        block = tl.load(selected + selection + place, mask=place < filled, other=-1)
        start = tl.load(block_start + block, mask=block >= 0, other=0)
        length = tl.load(block_len + block, mask=block >= 0, other=0)
        for offset in range(0, tl.max(length, 0), TOKENS):
            token = offset + tl.arange(0, TOKENS)
            valid = tl.reshape(token[None, :] < length[:, None], [BLOCKS * TOKENS])
            slot = tl.reshape(start[:, None] + token[None, :], [BLOCKS * TOKENS])
            read = valid[:, None] & (dim < DIM)[None, :]
            place_k = slot[:, None] * k_slot + kv_head * k_head + dim[None, :] * k_dim
            place_v = slot[:, None] * v_slot + kv_head * v_head + dim[None, :] * v_dim
            keys = tl.load(k_arena + place_k, mask=read, other=0.0)
            values = tl.load(v_arena + place_v, mask=read, other=0.0)

            if NARROW:
                logits = tl.dot(queried, tl.trans(keys)) * scale
            else:
                wide = tl.trans(keys.to(tl.float32))
                logits = tl.dot(queried.to(tl.float32), wide, input_precision=PRECISION) * scale
            if HAS_PRIOR:
                prior = tl.load(bias + selection + place, mask=block >= 0, other=0.0)
                prior = tl.broadcast_to(prior[:, None], [BLOCKS, TOKENS])
                logits += tl.reshape(prior, [BLOCKS * TOKENS])[None, :]
            logits = tl.where(valid[None, :], logits, NEG_INF)

            higher = tl.maximum(top, tl.max(logits, 1))
            base = tl.where(higher == NEG_INF, 0.0, higher)  # −inf − −inf is NaN
            weights = tl.exp(logits - base[:, None])
            shrink = tl.exp(top - base)
            total = total * shrink + tl.sum(weights, 1)
            sum_of_values = sum_of_values * shrink[:, None]
            if NARROW:
                # In two halves: a weight rounded to 16 bits would cost most of float32's digits.
                half = weights.to(values.dtype)
                rest = (weights - half.to(tl.float32)).to(values.dtype)
                sum_of_values = tl.dot(rest, values, sum_of_values)
                sum_of_values = tl.dot(half, values, sum_of_values)
            else:
                wide = values.to(tl.float32)
                sum_of_values = tl.dot(weights, wide, sum_of_values, input_precision=PRECISION)
            top = higher

    nothing = total == 0
    total = tl.where(nothing, 1.0, total)
    mean = sum_of_values / total[:, None]
    at = (batch * kv_heads * GROUP + head) * queries + query
    tl.store(out + at[:, None] * DIM + dim[None, :], mean.to(out.dtype.element_ty), mask=there)
    tl.store(lse + at, tl.where(nothing, NEG_INF, top + tl.log(total)), mask=real)
