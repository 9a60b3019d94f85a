// The arithmetic of sparse knowledge attention. Compiled once for each instruction set, into the
// namespace DYSK_ISA; no standard template is used, since the linker would share its instances.
#include "vector.h"

namespace dysk {
namespace {

constexpr int kQueriesAtOnce = 4;  // queries whose accumulators fit into registers together
constexpr int kKeysAtOnce = kLanes;
constexpr int kSecondCache = 2;  // it waits for more lines at once than the first does
constexpr int kAhead = 3 * kKeysAtOnce;  // keys to ask memory for before they are needed

template <class Element>
const Element* row_of(const Rows& rows, int64_t row, int64_t head) {
  return static_cast<const Element*>(rows.data) + row * rows.stride + head * rows.head_stride;
}

template <class Element>
void prefetch(const Element* begin, const Element* end) {
  const char* last = reinterpret_cast<const char*>(end) - 1;
  for (const char* line = reinterpret_cast<const char*>(begin); line < last; line += 64) {
    __builtin_prefetch(line, 0, kSecondCache);
  }
  __builtin_prefetch(last, 0, kSecondCache);
}

// out[q · out_stride + key] = query q · key, for `count` queries and kLanes keys. Lanes and
// accumulators are used the same way for every key, so that equal keys get equal products. The keys
// at `soon`, if any, are asked for along the way: memory is kept busy throughout.
template <int count, class Element>
void products_of(const float* queries, int64_t stride, const Element* const* keys,
                 const Element* const* soon, int64_t dim, float* out, int64_t out_stride) {
  constexpr int slots = count == 3 ? 4 : count, at_once = kLanes / slots;
  constexpr int64_t line = 64 / sizeof(Element);
  const int64_t whole = dim / kLanes * kLanes;
  for (int first = 0; first < kLanes; first += at_once) {
    Vector total[kLanes] = {};
    for (int64_t d = 0; d < whole; d += kLanes) {
      if (soon && d % line == 0) {
#pragma GCC unroll 16
        for (int i = 0; i < at_once; ++i) __builtin_prefetch(soon[first + i] + d, 0, kSecondCache);
      }
      Vector query[count];
      for (int q = 0; q < count; ++q) query[q] = load(queries + q * stride + d);
#pragma GCC unroll 16
      for (int i = 0; i < at_once; ++i) {
        const Vector key = load(keys[first + i] + d);
        for (int q = 0; q < count; ++q) total[q * at_once + i] += query[q] * key;
      }
    }
    if (whole < dim) {
      for (int i = 0; i < at_once; ++i) {
        const Vector key = load_first(keys[first + i] + whole, dim - whole);
        for (int q = 0; q < count; ++q) {
          total[q * at_once + i] += load(queries + q * stride + whole) * key;
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
              int64_t dim, float* out, int64_t out_stride) {
  for (int64_t q = 0; q < queries.count; q += kQueriesAtOnce, soon = nullptr) {
    const float* data = queries.data + q * queries.stride;
    float* to = out + q * out_stride;
    switch (queries.count - q) {
      case 1: products_of<1>(data, queries.stride, keys, soon, dim, to, out_stride); break;
      case 2: products_of<2>(data, queries.stride, keys, soon, dim, to, out_stride); break;
      case 3: products_of<3>(data, queries.stride, keys, soon, dim, to, out_stride); break;
      default: products_of<4>(data, queries.stride, keys, soon, dim, to, out_stride);
    }
  }
}

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

// Tokens that are read together, wherever their blocks lie.
template <class Element>
struct Tile {
  const Element* keys[kTileTokens];
  const Element* values[kTileTokens];
  float bias[kTileTokens];
  int count = 0;
};

// Softmax attention in tiles, each rescaled to the greatest logit so far (arXiv 1805.02867).
template <class Element>
struct Attention {
  const Queries& queries;
  int64_t dim, stride;   // stride: dim, padded
  float* weights;        // [count, kTileTokens]
  float* total;          // [count, stride]
  float top[kQueryBatch], sum_of[kQueryBatch];

  Attention(const Queries& queries, int64_t dim, float* scratch)
      : queries(queries), dim(dim), stride(padded(dim)), weights(scratch),
        total(scratch + kQueryBatch * kTileTokens) {
    std::memset(total, 0, queries.count * stride * sizeof(float));
    for (int64_t q = 0; q < queries.count; ++q) top[q] = -kInfinity, sum_of[q] = 0;
  }

  void read(Tile<Element>& tile) {
    const int count = tile.count;
    for (int t = count; t % kLanes; ++t) tile.keys[t] = tile.keys[0];
    for (int t = 0; t < count; t += kLanes) {
      for (int i = t; i < t + kLanes && i < count; ++i) prefetch(tile.values[i], tile.values[i] + dim);
      products<Element>(queries, tile.keys + t, nullptr, dim, weights + t, kTileTokens);
    }
    for (int64_t q = 0; q < queries.count; ++q) weigh(q, tile);
    for (int64_t q = 0; q < queries.count; q += kQueriesAtOnce) {
      switch (queries.count - q) {
        case 1: add_values<1>(q, tile); break;
        case 2: add_values<2>(q, tile); break;
        case 3: add_values<3>(q, tile); break;
        default: add_values<4>(q, tile);
      }
    }
    tile.count = 0;
  }

  // Logits to exp(logit − greatest so far); what was summed before is brought to that scale.
  void weigh(int64_t q, const Tile<Element>& tile) {
    float* logits = weights + q * kTileTokens;
    int end = tile.count;
    for (int t = 0; t < end; ++t) logits[t] += tile.bias[t];
    for (; end % kLanes; ++end) logits[end] = -kInfinity;
    Vector best = load(logits);
    for (int t = kLanes; t < end; t += kLanes) best = greater(best, load(logits + t));
    const float highest = greatest(best) > top[q] ? greatest(best) : top[q];
    const float base = highest == -kInfinity ? 0.f : highest;
    Vector sum_here{};
    for (int t = 0; t < end; t += kLanes) {
      const Vector weight = exponential(load(logits + t) - splat(base));
      store(logits + t, weight);
      sum_here += weight;
    }
    const float shrink = exponential(top[q] - base);
    top[q] = highest;
    sum_of[q] = sum_of[q] * shrink + sum(sum_here);
    if (shrink != 1.f) {
      float* row = total + q * stride;
      for (int64_t d = 0; d < stride; d += kLanes) store(row + d, load(row + d) * splat(shrink));
    }
  }

  template <int count>
  void add_values(int64_t q, const Tile<Element>& tile) {
    constexpr int kWide = 2;  // vectors of a row at a time
    int64_t d = 0;
    for (; d + kWide * kLanes <= dim; d += kWide * kLanes) {
      Vector sum_here[count][kWide];
      for (int i = 0; i < count; ++i) {
        for (int w = 0; w < kWide; ++w) {
          sum_here[i][w] = load(total + (q + i) * stride + d + w * kLanes);
        }
      }
      for (int t = 0; t < tile.count; ++t) {
        Vector value[kWide];
        for (int w = 0; w < kWide; ++w) value[w] = load(tile.values[t] + d + w * kLanes);
        for (int i = 0; i < count; ++i) {
          const Vector weight = splat(weights[(q + i) * kTileTokens + t]);
          for (int w = 0; w < kWide; ++w) sum_here[i][w] += weight * value[w];
        }
      }
      for (int i = 0; i < count; ++i) {
        for (int w = 0; w < kWide; ++w) {
          store(total + (q + i) * stride + d + w * kLanes, sum_here[i][w]);
        }
      }
    }
    for (; d < dim; d += kLanes) {
      const int64_t lanes = dim - d < kLanes ? dim - d : kLanes;
      for (int i = 0; i < count; ++i) {
        float* row = total + (q + i) * stride + d;
        Vector sum_here = load(row);
        for (int t = 0; t < tile.count; ++t) {
          const Vector value = load_first(tile.values[t] + d, lanes);
          sum_here += splat(weights[(q + i) * kTileTokens + t]) * value;
        }
        store(row, sum_here);
      }
    }
  }

  template <class Out>
  void finish(const Results& results) const {
    for (int64_t q = 0; q < queries.count; ++q) {
      const bool nothing = sum_of[q] == 0;
      *results.lse[q] = nothing ? -kInfinity : top[q] + __builtin_logf(sum_of[q]);
      const float share = nothing ? 0.f : 1.f / sum_of[q];
      Out* out = static_cast<Out*>(results.out[q]);
      for (int64_t d = 0; d < dim; ++d) narrow(total[q * stride + d] * share, out + d);
    }
  }
};

template <class Element>
void attend(const Memory& memory, int64_t head, const Queries& queries, const Eligible& eligible,
            const int32_t* places, int64_t count, float* scratch, const Results& results) {
  Attention<Element> attention(queries, memory.dim, scratch);
  Tile<Element> tile;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = places ? places[i] : i, block = eligible.block[place];
    const float bias = eligible.bias ? eligible.bias[place] : 0.f;
    const int64_t start = memory.block_start[block], end = start + memory.block_len[block];
    for (int64_t slot = start; slot < end; ++slot) {
      tile.keys[tile.count] = row_of<Element>(memory.keys, slot, head);
      tile.values[tile.count] = row_of<Element>(memory.values, slot, head);
      tile.bias[tile.count] = bias;
      prefetch(tile.keys[tile.count], tile.keys[tile.count] + memory.dim);
      if (++tile.count == kTileTokens) attention.read(tile);
    }
  }
  if (tile.count) attention.read(tile);
  switch (results.type) {
    case Type::f32: attention.template finish<float>(results); break;
    case Type::bf16: attention.template finish<bf16_t>(results); break;
    case Type::f16: attention.template finish<f16_t>(results); break;
  }
}

void attend_any(const Memory& memory, int64_t head, const Queries& queries,
                const Eligible& eligible, const int32_t* places, int64_t count, float* scratch,
                const Results& results) {
  switch (memory.keys.type) {
    case Type::f32:
      attend<float>(memory, head, queries, eligible, places, count, scratch, results);
      break;
    case Type::bf16:
      attend<bf16_t>(memory, head, queries, eligible, places, count, scratch, results);
      break;
    case Type::f16:
      attend<f16_t>(memory, head, queries, eligible, places, count, scratch, results);
      break;
  }
}

template <class Element>
void widen(const Element* from, int64_t n, float factor, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(to + i, load(from + i) * splat(factor));
  for (; i < n; ++i) to[i] = load_first(from + i, 1)[0] * factor;
}

void widen_any(const void* from, Type type, int64_t n, float factor, float* to) {
  switch (type) {
    case Type::f32: widen(static_cast<const float*>(from), n, factor, to); break;
    case Type::bf16: widen(static_cast<const bf16_t*>(from), n, factor, to); break;
    case Type::f16: widen(static_cast<const f16_t*>(from), n, factor, to); break;
  }
}

template <class Element>
void merge(const MergeRow& row, int64_t dim) {
  // From the higher one on, so that the order of the parts does not matter to the last bit.
  const bool a_first = row.lse_b == -kInfinity ||
                       (row.lse_a != -kInfinity && !(row.lse_a < row.lse_b));
  const Element* more = static_cast<const Element*>(a_first ? row.a : row.b);
  const Element* less = static_cast<const Element*>(a_first ? row.b : row.a);
  const float high = a_first ? row.lse_a : row.lse_b, low = a_first ? row.lse_b : row.lse_a;
  Element* out = static_cast<Element*>(row.out);
  if (low == -kInfinity) {
    *row.lse = high;
    if (high == -kInfinity) {
      std::memset(out, 0, dim * sizeof(Element));
    } else {
      std::memcpy(out, more, dim * sizeof(Element));
    }
    return;
  }
  const float ratio = __builtin_expf(low - high), share = 1.f / (1.f + ratio);
  *row.lse = high + __builtin_log1pf(ratio);
  int64_t d = 0;
  for (; d + kLanes <= dim; d += kLanes) {
    float mixed[kLanes];
    store(mixed, load(more + d) * splat(share) + load(less + d) * splat(ratio * share));
    for (int i = 0; i < kLanes; ++i) narrow(mixed[i], out + d + i);
  }
  for (; d < dim; ++d) {
    const float x = load_first(more + d, 1)[0], y = load_first(less + d, 1)[0];
    narrow(x * share + y * (ratio * share), out + d);
  }
}

void merge_any(const MergeRow& row, int64_t dim, Type type) {
  switch (type) {
    case Type::f32: merge<float>(row, dim); break;
    case Type::bf16: merge<bf16_t>(row, dim); break;
    case Type::f16: merge<f16_t>(row, dim); break;
  }
}

}  // namespace

const Kernels DYSK_ISA::kernels{score_any, select, attend_any, merge_any, widen_any};

}  // namespace dysk
