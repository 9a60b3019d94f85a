#include "eligible.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace dysk {
namespace {

constexpr int64_t kFew = 16;  // candidates up to which comparing all pairs beats hashing
constexpr int64_t kAhead = 16;

}  // namespace

Fault EligibleRow::find(const Candidates& candidates, const Memory& memory, bool check_bounds) {
  const auto& [block_of, prior, count] = candidates;
  blocks_.clear();
  bias_.clear();
  blocks_.reserve(count);
  has_bias_ = prior.data != nullptr;
  if (has_bias_) bias_.reserve(count);
  if (count > kFew) {
    const int bits = std::bit_width(static_cast<uint64_t>(count)) + 1;
    seen_.assign(int64_t{1} << bits, 0);
    shift_ = 64 - bits;
  }
  const auto exists = [&](int64_t block) { return 0 <= block && block < memory.blocks; };
  Fault fault;
  for (int64_t column = 0; column < count; ++column) {
    if (check_bounds && column + kAhead < count && exists(block_of[column + kAhead])) {
      const int64_t next = block_of[column + kAhead];
      __builtin_prefetch(memory.block_start.data + next * memory.block_start.stride);
      __builtin_prefetch(memory.block_len.data + next * memory.block_len.stride);
    }
    const int64_t block = block_of[column];
    const auto blame = [&](Fault::Kind kind) {
      if (kind > fault.kind) fault = {kind, block};
    };
    const float bias = has_bias_ ? prior[column] : 0.f;
    if (check_bounds && !(bias < std::numeric_limits<float>::infinity())) {
      blame(Fault::prior_not_below_infinity);
    }
    if (block == -1) continue;
    if (!exists(block)) {
      blame(Fault::no_such_block);
      continue;
    }
    if (check_bounds) {
      const int64_t start = memory.block_start[block], length = memory.block_len[block];
      if (start < 0 || length < 0 || start > memory.slots - length) {
        blame(Fault::block_outside_arena);
      }
    }
    if (is_repeated(candidates, column) || !(bias > -std::numeric_limits<float>::infinity())) {
      continue;
    }
    blocks_.push_back(block);
    if (has_bias_) bias_.push_back(bias);
  }
  return fault;
}

// Whether an earlier column names the same block, be it closed or not.
bool EligibleRow::is_repeated(const Candidates& candidates, int64_t column) {
  const int64_t block = candidates.block[column];
  if (candidates.count <= kFew) {
    for (int64_t c = 0; c < column; ++c) {
      if (candidates.block[c] == block) return true;
    }
    return false;
  }
  const size_t mask = seen_.size() - 1;
  size_t place = static_cast<uint64_t>(block) * 0x9e3779b97f4a7c15u >> shift_;
  for (; seen_[place]; place = (place + 1) & mask) {
    if (candidates.block[seen_[place] - 1] == block) return true;
  }
  seen_[place] = static_cast<int32_t>(column + 1);
  return false;
}

}  // namespace dysk
