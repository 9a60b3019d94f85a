// Which candidates of a row may be chosen, and what is wrong with the others.
#pragma once

#include <cstdint>
#include <memory>

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
  explicit EligibleRow(const Candidates&);

  // Looks at everything but the bounds of the eligible blocks, which `bounds` does where they are
  // about to be used. With `check` false only at what candidates name, so that no index is wild.
  Fault find(const Memory&, bool check);

  Eligible eligible() const { return {blocks_.get(), bias_.get(), count_}; }

 private:
  bool is_repeated(int64_t column);

  Candidates candidates_;
  std::unique_ptr<int64_t[]> blocks_;
  std::unique_ptr<float[]> bias_;
  int64_t count_ = 0;
  std::unique_ptr<int32_t[]> seen_;  // hash table of columns + 1
  int shift_ = 0;
};

// Whether blocks [begin, end) of those lie in the arena.
Fault bounds(const Memory&, const Eligible&, int64_t begin, int64_t end);

inline Fault graver(Fault a, Fault b) { return b.kind > a.kind ? b : a; }

}  // namespace dysk
