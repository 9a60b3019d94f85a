// Which candidates a query keeps: the places of the greatest scores.
#pragma once

#include "vector.h"

namespace dysk {
namespace {

constexpr int kPart = 4 * kLanes;  // scores looked at together

// Replaces the root of a heap, which has its least number there.
inline void sink(float* heap, int64_t size, int64_t at, float x) {
  for (int64_t child; (child = 2 * at + 1) < size; at = child) {
    if (child + 1 < size && heap[child + 1] < heap[child]) ++child;
    if (heap[child] >= x) break;
    heap[at] = heap[child];
  }
  heap[at] = x;
}

// The k-th greatest of n numbers, of which those below `bound` do not matter. `heap` ends as the k
// greatest.
float kth_greatest(const float* numbers, int64_t n, int64_t k, float bound, float* heap) {
  for (int64_t i = 0; i < k; ++i) heap[i] = -kInfinity;
  const auto look = [&](const float* at, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      if (at[i] >= bound && at[i] > heap[0]) sink(heap, k, 0, at[i]);
    }
  };
  const auto matters = [&](Vector x) { return any(x >= splat(bound)) && any(x > splat(heap[0])); };
  int64_t i = 0;
  for (; i + kPart <= n; i += kPart) {
    const float* part = numbers + i;
    const Vector best = greater(greater(load(part), load(part + kLanes)),
                                greater(load(part + 2 * kLanes), load(part + 3 * kLanes)));
    if (!matters(best)) continue;
    for (int64_t v = 0; v < kPart; v += kLanes) {
      if (matters(load(part + v))) look(part + v, kLanes);
    }
  }
  look(numbers + i, n - i);
  return heap[0];
}

// A number that at least k of n scores reach: the k-th of the maxima of kPart interleaved parts.
float reached_by(const float* scores, int64_t n, int64_t k, float* heap) {
  if (k > kPart || n < 8 * kPart) return -kInfinity;
  float most[kPart];
  for (int v = 0; v < kPart; v += kLanes) {
    Vector best = load(scores + v);
    for (int64_t i = kPart; i + kPart <= n; i += kPart) best = greater(best, load(scores + i + v));
    store(most + v, best);
  }
  return kth_greatest(most, kPart, k, -kInfinity, heap);
}

void select(const float* scores, int64_t n, int64_t k, float* heap, int32_t* places) {
  if (k == 0) return;
  const float least = kth_greatest(scores, n, k, reached_by(scores, n, k, heap), heap);
  int64_t ties = 0;  // how many of those that equal the least are kept
  for (int64_t i = 0; i < k; ++i) ties += heap[i] == least;
  int64_t found = 0;
  for (int64_t first = 0; found < k; first += kLanes) {
    const int64_t end = first + kLanes < n ? first + kLanes : n;
    if (end - first == kLanes && !any(load(scores + first) >= splat(least))) continue;
    for (int64_t i = first; i < end && found < k; ++i) {
      if (scores[i] > least || (scores[i] == least && ties-- > 0)) places[found++] = i;
    }
  }
}

}  // namespace
}  // namespace dysk
