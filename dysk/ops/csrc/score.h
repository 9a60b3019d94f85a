// Which blocks a query keeps: the score of each candidate, and the places of the greatest.
#pragma once

#include "products.h"

namespace dysk {
namespace {

constexpr int kAhead = 3 * kKeysAtOnce;  // keys to ask memory for before they are needed

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

template <class Element>
void score(const Memory& memory, const Scoring& scoring, int64_t begin, int64_t end) {
  const auto& [queries, first_head, heads, eligible, scores] = scoring;
  const int64_t step = queries.count * eligible.count;
  const Element* keys[kKeysAtOnce];
  const Element* soon[kKeysAtOnce];
  float found[kQueriesAtOnce][kKeysAtOnce];
  for (int64_t c = begin; c < end; c += kKeysAtOnce) {
    const int count = end - c < kKeysAtOnce ? end - c : kKeysAtOnce;
    const float* bias = eligible.bias ? eligible.bias + c : nullptr;
    for (int64_t head = 0; head < heads; ++head) {
      for (int i = 0; i < kKeysAtOnce; ++i) {
        // The first key stands in for those that are not there.
        const int64_t block = eligible.block[c + (i < count ? i : 0)];
        const int64_t next = c + kAhead + i < end ? eligible.block[c + kAhead + i] : block;
        keys[i] = row_of<Element>(memory.summary, block, first_head + head);
        soon[i] = row_of<Element>(memory.summary, next, first_head + head);
      }
      const float* data = queries.data + head * queries.count * queries.stride;
      float* to = scores + head * step + c;
      for (int64_t q = 0; q < queries.count; q += kQueriesAtOnce) {
        const int some = queries.count - q < kQueriesAtOnce ? queries.count - q : kQueriesAtOnce;
        products<Element>({data + q * queries.stride, some, queries.stride}, keys,
                 q == 0 ? soon : nullptr, memory.dim, found[0], kKeysAtOnce);
        for (int i = 0; i < some; ++i) {
          put_scores(found[i], bias, count, to + (q + i) * eligible.count);
        }
      }
    }
  }
}

void score_any(const Memory& memory, const Scoring& scoring, int64_t begin, int64_t end) {
  switch (memory.summary.type) {
    case Type::f32: score<float>(memory, scoring, begin, end); break;
    case Type::bf16: score<bf16_t>(memory, scoring, begin, end); break;
    case Type::f16: score<f16_t>(memory, scoring, begin, end); break;
  }
}

// The k-th greatest of n scores. `heap` is a heap of the greatest so far, the least at its root.
float kth_greatest(const float* scores, int64_t n, int64_t k, float* heap) {
  const auto sink = [&](int64_t at, int64_t size, float x) {
    for (int64_t child; (child = 2 * at + 1) < size; at = child) {
      if (child + 1 < size && heap[child + 1] < heap[child]) ++child;
      if (heap[child] >= x) break;
      heap[at] = heap[child];
    }
    heap[at] = x;
  };
  std::memcpy(heap, scores, k * sizeof(float));
  for (int64_t at = k / 2; at-- > 0;) sink(at, k, heap[at]);
  int64_t i = k;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    const Vector best = greater(greater(load(scores + i), load(scores + i + kLanes)),
                                greater(load(scores + i + 2 * kLanes), load(scores + i + 3 * kLanes)));
    if (greatest(best) <= heap[0]) continue;
    for (int64_t j = i; j < i + 4 * kLanes; ++j) {
      if (scores[j] > heap[0]) sink(0, k, scores[j]);
    }
  }
  for (; i < n; ++i) {
    if (scores[i] > heap[0]) sink(0, k, scores[i]);
  }
  return heap[0];
}

void select(const float* scores, int64_t n, int64_t k, float* heap, int32_t* places) {
  if (k == 0) return;
  const float least = kth_greatest(scores, n, k, heap);
  int64_t ties = 0;  // how many of those that equal the least are kept
  for (int64_t i = 0; i < k; ++i) ties += heap[i] == least;
  int64_t found = 0;
  for (int64_t first = 0; found < k; first += 2 * kLanes) {
    const int64_t end = first + 2 * kLanes < n ? first + 2 * kLanes : n;
    if (end - first == 2 * kLanes &&
        greatest(greater(load(scores + first), load(scores + first + kLanes))) < least) {
      continue;
    }
    for (int64_t i = first; i < end && found < k; ++i) {
      if (scores[i] > least || (scores[i] == least && ties-- > 0)) places[found++] = i;
    }
  }
}

}  // namespace
}  // namespace dysk
