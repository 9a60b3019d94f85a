// What the operator (operator.cpp, which knows torch) asks of the kernels (kernels.cpp, which know
// the instruction set). Names and shapes are those of docs/op.md.
#pragma once

#include <cstdint>

namespace dysk {

enum class Type { f32, bf16, f16 };

inline int64_t size_of(Type type) { return type == Type::f32 ? 4 : 2; }

struct bf16_t {
  uint16_t bits;
};
struct f16_t {
  uint16_t bits;
};

// [n, KVH, D] with unit stride in D: an arena, or the summaries.
struct Rows {
  const void* data;
  Type type;
  int64_t stride, head_stride;  // in elements
};

// [F], of any stride.
template <class Number>
struct Column {
  const Number* data;
  int64_t stride;
  Number operator[](int64_t i) const { return data[i * stride]; }
};

// All that is to be read, whatever the query.
struct Memory {
  Rows keys, values, summary;
  Column<int64_t> block_start;
  Column<int32_t> block_len;
  int64_t slots, blocks, kv_heads, dim;
};

// The candidates of one row that may be chosen, in the order of its columns.
struct Eligible {
  const int64_t* block;
  const float* bias;  // their priors; null for none
  int64_t count;
};

// Rows of fp32 queries, already multiplied by the scale and padded with zeros to `stride` floats.
struct Queries {
  const float* data;
  int64_t count, stride;
};

// What to score candidates for: the mean query of each group, [heads, queries.count].
struct Scoring {
  Queries queries;  // of the first head; those of the others follow
  int64_t first_head, heads;
  Eligible eligible;
  float* scores;  // [heads, queries.count, eligible.count]
};

// Where the result for each query of a batch goes.
struct Results {
  void* const* out;  // a row of D elements of `type`
  float* const* lse;
  Type type;
};

constexpr int kPadding = 16;     // floats: the widest vector of any instruction set
constexpr int kQueryBatch = 32;  // queries that `attend` takes at a time
constexpr int kTileTokens = 128;

inline int64_t padded(int64_t n) { return (n + kPadding - 1) / kPadding * kPadding; }

// Floats of scratch that `attend` needs.
inline int64_t attend_scratch(int64_t dim) { return kQueryBatch * (kTileTokens + padded(dim)); }

// out [..., D] merged of two; see merge.py. Rows have unit stride.
struct MergeRow {
  const void *a, *b;
  void* out;
  float lse_a, lse_b;
  float* lse;
};

struct Kernels {
  // The scores of candidates [begin, end). NaN becomes +inf, so that it has a place in the order.
  void (*score)(const Memory&, const Scoring&, int64_t begin, int64_t end);
  // The places of the k greatest of n scores, ascending; of equals the earlier. k < n. `heap` has
  // room for k floats.
  void (*select)(const float* scores, int64_t n, int64_t k, float* heap, int32_t* places);
  // Softmax attention of queries [≤ kQueryBatch] to the tokens of the candidates at `places` (all
  // of them, if null).
  void (*attend)(const Memory&, int64_t head, const Queries&, const Eligible&,
                 const int32_t* places, int64_t count, float* scratch, const Results&);
  void (*merge)(const MergeRow&, int64_t dim, Type);
  // n elements of `type`, times `factor`, as floats.
  void (*widen)(const void* from, Type, int64_t n, float factor, float* to);
};

namespace baseline {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}

}  // namespace dysk
