// The score of each candidate for each query.
#pragma once

#include "products.h"

namespace dysk {
namespace {

constexpr int kManyQueries = 8;  // from which on turning keys pays
constexpr int kTileKeys = 2 * kLanes, kTileDims = 256;

// found + bias as scores: NaN becomes +inf.
inline void put_scores(const float* found, const float* bias, int count, float* to) {
  if (count == kLanes) {
    Vector x = load(found);
    if (bias) x += load(bias);
    store(to, x == x ? x : splat(kInfinity));
    return;
  }
  for (int i = 0; i < count; ++i) {
    const float x = found[i] + (bias ? bias[i] : 0.f);
    to[i] = x == x ? x : kInfinity;
  }
}

// Pointers to the summaries of a run of candidates, and to those of the next run, which memory is
// asked for meanwhile. Those of other heads lie `head_stride` further on.
template <class Element, int count>
struct Run {
  const Element* keys[count];
  const Element* soon[count];

  Run(const Memory& memory, const Scoring& scoring, int64_t begin, int64_t end) {
    const int64_t* block = scoring.eligible.block;
    for (int i = 0; i < count; ++i) {
      // The first key stands in for those that are not there.
      const int64_t here = begin + i < end ? begin + i : begin;
      const int64_t next = here + count < end ? here + count : here;
      keys[i] = row_of<Element>(memory.summary, block[here], scoring.first_head);
      soon[i] = row_of<Element>(memory.summary, block[next], scoring.first_head);
    }
  }
};

// One dot product after the other.
template <class Element>
void score_few(const Memory& memory, const Scoring& scoring, int64_t begin, int64_t end) {
  const auto& [queries, first_head, heads, eligible, scores] = scoring;
  float found[kQueriesAtOnce][kKeysAtOnce];
  for (int64_t c = begin; c < end; c += kKeysAtOnce) {
    const int count = end - c < kKeysAtOnce ? end - c : kKeysAtOnce;
    const float* bias = eligible.bias ? eligible.bias + c : nullptr;
    const Run<Element, kKeysAtOnce> run(memory, scoring, c, end);
    for (int64_t head = 0; head < heads; ++head) {
      const float* data = queries.data + head * queries.count * queries.stride;
      float* to = scores + head * queries.count * eligible.count + c;
      for (int64_t q = 0; q < queries.count; q += kQueriesAtOnce) {
        const int some = queries.count - q < kQueriesAtOnce ? queries.count - q : kQueriesAtOnce;
        products<Element>({data + q * queries.stride, some, queries.stride}, run.keys,
                 q == 0 ? run.soon : nullptr, head * memory.summary.head_stride, memory.dim,
                 found[0], kKeysAtOnce);
        for (int i = 0; i < some; ++i) {
          put_scores(found[i], bias, count, to + (q + i) * eligible.count);
        }
      }
    }
  }
}

// Summaries of kTileKeys candidates, widened and turned, so that each number of a query meets all of
// them at once.
template <class Element>
void turn(const Run<Element, kTileKeys>& run, int64_t offset, int64_t dim, float (*tile)[kTileKeys]) {
  for (int64_t d = 0; d < dim; d += kLanes) {
    const int64_t lanes = dim - d < kLanes ? dim - d : kLanes;
    for (int part = 0; part < kTileKeys; part += kLanes) {
      Vector keys[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        const Element* key = run.keys[part + i] + offset + d;
        keys[i] = lanes == kLanes ? load(key) : load_first(key, lanes);
        __builtin_prefetch(run.soon[part + i] + offset + d, 0, kSecondCache);
      }
      transpose(keys);
      for (int i = 0; i < lanes; ++i) store(tile[d + i] + part, keys[i]);
    }
  }
}

// The products of `count` queries with the keys of a tile.
template <int count>
void products_with_tile(const float* queries, int64_t stride, const float (*tile)[kTileKeys],
                        int64_t dim, float (*found)[kTileKeys]) {
  Vector total[count][2] = {};
  for (int64_t d = 0; d < dim; ++d) {
    const Vector one = load(tile[d]), other = load(tile[d] + kLanes);
    for (int q = 0; q < count; ++q) {
      const Vector number = splat(queries[q * stride + d]);
      total[q][0] += number * one;
      total[q][1] += number * other;
    }
  }
  for (int q = 0; q < count; ++q) {
    store(found[q], total[q][0]);
    store(found[q] + kLanes, total[q][1]);
  }
}

// Many queries share the work of turning the keys.
template <class Element>
void score_many(const Memory& memory, const Scoring& scoring, int64_t begin, int64_t end) {
  const auto& [queries, first_head, heads, eligible, scores] = scoring;
  alignas(64) float tile[kTileDims][kTileKeys];
  alignas(64) float found[kQueriesAtOnce][kTileKeys];
  for (int64_t c = begin; c < end; c += kTileKeys) {
    const int64_t count = end - c < kTileKeys ? end - c : kTileKeys;
    const Run<Element, kTileKeys> run(memory, scoring, c, end);
    for (int64_t head = 0; head < heads; ++head) {
      turn(run, head * memory.summary.head_stride, memory.dim, tile);
      const float* data = queries.data + head * queries.count * queries.stride;
      float* to = scores + head * queries.count * eligible.count + c;
      for (int64_t q = 0; q < queries.count; q += kQueriesAtOnce) {
        const float* some = data + q * queries.stride;
        switch (queries.count - q) {
          case 1: products_with_tile<1>(some, queries.stride, tile, memory.dim, found); break;
          case 2: products_with_tile<2>(some, queries.stride, tile, memory.dim, found); break;
          case 3: products_with_tile<3>(some, queries.stride, tile, memory.dim, found); break;
          default: products_with_tile<4>(some, queries.stride, tile, memory.dim, found);
        }
        for (int i = 0; i < kQueriesAtOnce && q + i < queries.count; ++i) {
          for (int64_t first = 0; first < count; first += kLanes) {
            put_scores(found[i] + first, eligible.bias ? eligible.bias + c + first : nullptr,
                       count - first < kLanes ? count - first : kLanes,
                       to + (q + i) * eligible.count + first);
          }
        }
      }
    }
  }
}

template <class Element>
void score(const Memory& memory, const Scoring& scoring, int64_t begin, int64_t end) {
  if (scoring.queries.count >= kManyQueries && memory.dim <= kTileDims) {
    score_many<Element>(memory, scoring, begin, end);
  } else {
    score_few<Element>(memory, scoring, begin, end);
  }
}

void score_any(const Memory& memory, const Scoring& scoring, int64_t begin, int64_t end) {
  switch (memory.summary.type) {
    case Type::f32: score<float>(memory, scoring, begin, end); break;
    case Type::bf16: score<bf16_t>(memory, scoring, begin, end); break;
    case Type::f16: score<f16_t>(memory, scoring, begin, end); break;
  }
}

}  // namespace
}  // namespace dysk
