// Dot products of a few queries with a vector of keys: what scoring and attention share.
#pragma once

#include "vector.h"

namespace dysk {
namespace {

constexpr int kQueriesAtOnce = 4;  // queries whose accumulators fit into registers together
constexpr int kKeysAtOnce = kLanes;
constexpr int kSecondCache = 2;  // it waits for more lines at once than the first does

template <class Element>
const Element* row_of(const Rows& rows, int64_t row, int64_t head) {
  return static_cast<const Element*>(rows.data) + row * rows.stride + head * rows.head_stride;
}

template <class Element>
void prefetch(const Element* begin, const Element* end) {
  const uintptr_t first = reinterpret_cast<uintptr_t>(begin) & ~uintptr_t{63};
  for (uintptr_t line = first; line < reinterpret_cast<uintptr_t>(end); line += 64) {
    __builtin_prefetch(reinterpret_cast<const char*>(line), 0, kSecondCache);
  }
}

// out[q · out_stride + key] = query q · key, for `count` queries and kLanes keys, which begin
// `offset` behind the pointers. Lanes and accumulators are used the same way for every key, so that
// equal keys get equal products. The keys at `soon`, if any, are asked for along the way: memory is
// kept busy throughout.
template <int count, class Element>
void products_of(const float* queries, int64_t stride, const Element* const* keys,
                 const Element* const* soon, int64_t offset, int64_t dim, float* out,
                 int64_t out_stride) {
  constexpr int slots = count == 3 ? 4 : count, at_once = kLanes / slots;
  constexpr int64_t line = 64 / sizeof(Element);
  const int64_t whole = dim / (2 * kLanes) * (2 * kLanes);
  for (int first = 0; first < kLanes; first += at_once) {
    Vector total[kLanes] = {};
    for (int64_t d = 0; d < whole; d += 2 * kLanes) {
      if (soon && d % line == 0) {
#pragma GCC unroll 16
        for (int i = 0; i < at_once; ++i) {
          __builtin_prefetch(soon[first + i] + offset + d, 0, kSecondCache);
        }
      }
      Pair query[count];
      for (int q = 0; q < count; ++q) query[q] = load_query_pair<Element>(queries + q * stride + d);
#pragma GCC unroll 16
      for (int i = 0; i < at_once; ++i) {
        const Pair key = load_pair(keys[first + i] + offset + d);
        for (int q = 0; q < count; ++q) {
          total[q * at_once + i] += query[q].first * key.first;
          total[q * at_once + i] += query[q].second * key.second;
        }
      }
    }
    for (int64_t d = whole; d < dim; d += kLanes) {
      for (int i = 0; i < at_once; ++i) {
        const Element* from = keys[first + i] + offset + d;
        const Vector key = dim - d < kLanes ? load_first(from, dim - d) : load(from);
        for (int q = 0; q < count; ++q) {
          total[q * at_once + i] += load(queries + q * stride + d) * key;
        }
      }
    }
    float found[kLanes];
    store(found, sums(total));
    for (int q = 0; q < count; ++q) {
      std::memcpy(out + q * out_stride + first, found + q * at_once, at_once * sizeof(float));
    }
  }
}

template <class Element>
void products(const Queries& queries, const Element* const* keys, const Element* const* soon,
              int64_t offset, int64_t dim, float* out, int64_t out_stride) {
  for (int64_t q = 0; q < queries.count; q += kQueriesAtOnce, soon = nullptr) {
    const float* data = queries.data + q * queries.stride;
    const int64_t stride = queries.stride;
    float* to = out + q * out_stride;
    switch (queries.count - q) {
      case 1: products_of<1>(data, stride, keys, soon, offset, dim, to, out_stride); break;
      case 2: products_of<2>(data, stride, keys, soon, offset, dim, to, out_stride); break;
      case 3: products_of<3>(data, stride, keys, soon, offset, dim, to, out_stride); break;
      default: products_of<4>(data, stride, keys, soon, offset, dim, to, out_stride);
    }
  }
}

}  // namespace
}  // namespace dysk
