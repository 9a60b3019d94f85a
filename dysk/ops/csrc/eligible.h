// Which candidates of a row may be chosen, and what is wrong with the others.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"

namespace dysk {

// The gravest thing wrong with a row of candidates, in the order of validation.py.
struct Fault {
  enum Kind { none, prior_not_below_infinity, block_outside_arena, no_such_block };
  Kind kind = none;
  int64_t block = 0;
};

struct Candidates {
  Column<int64_t> block;
  Column<float> prior;  // data is null for none
  int64_t count;
};

// The candidates of one row that are neither padding, nor repetitions, nor closed by their prior.
class EligibleRow {
 public:
  // With `check_bounds` false only the candidates' own range is looked at.
  Fault find(const Candidates& candidates, const Memory& memory, bool check_bounds);

  Eligible eligible() const {
    return {blocks_.data(), has_bias_ ? bias_.data() : nullptr,
            static_cast<int64_t>(blocks_.size())};
  }

 private:
  bool is_repeated(const Candidates& candidates, int64_t column);

  std::vector<int64_t> blocks_;
  std::vector<float> bias_;
  std::vector<int32_t> seen_;  // hash table of columns + 1
  bool has_bias_ = false;
  int shift_ = 0;
};

}  // namespace dysk
