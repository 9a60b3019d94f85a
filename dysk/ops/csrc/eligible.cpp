#include "eligible.h"

#include <bit>
#include <limits>
#include <tuple>

namespace dysk {
namespace {

constexpr int64_t kFew = 16;  // candidates up to which comparing all pairs beats hashing
constexpr int64_t kAhead = 24;  // blocks to ask memory for before they are needed
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

EligibleRow::EligibleRow(const Candidates& candidates)
    : candidates_(candidates), blocks_(new int64_t[candidates.count]),
      bias_(candidates.prior.data ? new float[candidates.count] : nullptr) {
  if (candidates.count > kFew) {
    const int bits = std::bit_width(static_cast<uint64_t>(candidates.count + candidates.count / 2));
    seen_.reset(new int32_t[int64_t{1} << bits]());
    shift_ = 64 - bits;
  }
}

Fault EligibleRow::find(const Memory& memory, bool check) {
  const auto [block_of, prior, count] = candidates_;
  int64_t* const found = blocks_.get();
  float* const bias_found = bias_.get();
  int64_t n = 0;
  Fault fault;
  for (int64_t column = 0; column < count; ++column) {
    const int64_t block = block_of[column];
    const float bias = bias_found ? prior[column] : 0.f;
    if (check && !(bias < kInfinity)) {
      fault = graver(fault, {Fault::prior_not_below_infinity, block});
    }
    if (block == -1) continue;
    if (block < 0 || block >= memory.blocks) {
      fault = graver(fault, {Fault::no_such_block, block});
      continue;
    }
    if (is_repeated(column)) continue;
    if (bias > -kInfinity) {
      if (bias_found) bias_found[n] = bias;
      found[n++] = block;
    } else if (check) {
      fault = graver(fault, bounds(memory, {&block, nullptr, 1}, 0, 1));
    }
  }
  count_ = n;
  return fault;
}

Fault bounds(const Memory& memory, const Eligible& eligible, int64_t begin, int64_t end) {
  const auto& [start_of, length_of] = std::tie(memory.block_start, memory.block_len);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t soon = eligible.block[i + kAhead < end ? i + kAhead : i];
    __builtin_prefetch(&start_of.data[soon * start_of.stride]);
    __builtin_prefetch(&length_of.data[soon * length_of.stride]);
    const int64_t start = start_of[eligible.block[i]], length = length_of[eligible.block[i]];
    if (start < 0 || length < 0 || start > memory.slots - length) {
      return {Fault::block_outside_arena, eligible.block[i]};
    }
  }
  return {};
}

// Whether an earlier column names the same block, be it closed or not.
inline bool EligibleRow::is_repeated(int64_t column) {
  const int64_t block = candidates_.block[column];
  if (!seen_) {
    for (int64_t c = 0; c < column; ++c) {
      if (candidates_.block[c] == block) return true;
    }
    return false;
  }
  const uint64_t mask = ~uint64_t{0} >> shift_;
  uint64_t place = static_cast<uint64_t>(block) * 0x9e3779b97f4a7c15u >> shift_;
  for (; seen_[place]; place = (place + 1) & mask) {
    if (candidates_.block[seen_[place] - 1] == block) return true;
  }
  seen_[place] = static_cast<int32_t>(column + 1);
  return false;
}

}  // namespace dysk
