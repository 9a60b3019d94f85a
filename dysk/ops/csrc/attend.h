// Softmax attention to the tokens of chosen blocks, in tiles, each rescaled to the greatest logit so
// far (M. Milakov and N. Gimelshein, arXiv 1805.02867).
#pragma once

#include "products.h"

namespace dysk {
namespace {

// Tokens that are read together, wherever their blocks lie.
template <class Element>
struct Tile {
  const Element* keys[kTileTokens];
  const Element* values[kTileTokens];
  float bias[kTileTokens];
  int count = 0;
};

template <class Element>
struct Attention {
  const Queries& queries;
  int64_t dim, stride;   // stride: dim, padded
  float* weights;        // [count, kTileTokens]
  float* total;          // [count, stride], in the order of pairs
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
      products<Element>(queries, tile.keys + t, nullptr, 0, dim, weights + t, kTileTokens);
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
    int64_t d = 0;
    for (; d + 2 * kLanes <= dim; d += 2 * kLanes) {
      Vector first[count], second[count];
      for (int i = 0; i < count; ++i) {
        first[i] = load(total + (q + i) * stride + d);
        second[i] = load(total + (q + i) * stride + d + kLanes);
      }
      for (int t = 0; t < tile.count; ++t) {
        const Pair value = load_pair(tile.values[t] + d);
        for (int i = 0; i < count; ++i) {
          const Vector weight = splat(weights[(q + i) * kTileTokens + t]);
          first[i] += weight * value.first;
          second[i] += weight * value.second;
        }
      }
      for (int i = 0; i < count; ++i) {
        store(total + (q + i) * stride + d, first[i]);
        store(total + (q + i) * stride + d + kLanes, second[i]);
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
      float* row = total + q * stride;
      for (int64_t d = 0; d + 2 * kLanes <= dim; d += 2 * kLanes) {
        store_pair<Element>(row + d, {load(row + d), load(row + d + kLanes)});
      }
      for (int64_t d = 0; d < dim; ++d) narrow(row[d] * share, out + d);
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

}  // namespace
}  // namespace dysk
