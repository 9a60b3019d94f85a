// How a call is cut into pieces that fit into the cache and keep all threads busy.
#pragma once

#include <vector>

#include "eligible.h"
#include "kernels.h"

namespace dysk {

struct Call {
  Memory memory;
  const void* q;  // [B, H, Q, D] with unit stride in D
  Type q_type;
  int64_t q_strides[3];
  int64_t batch, heads, queries, k;
  float factor;  // scale / temperature
  const int64_t* candidates;  // [B, C], of any stride
  const float* prior;         // the same, or null
  int64_t columns, candidate_strides[2], prior_strides[2];
  bool check;
  void* out;          // [B, H, Q, D], contiguous, typed as q
  float* lse;         // [B, H, Q], contiguous
  int64_t* selected;  // [B, KVH, Q, k], contiguous
};

// Fills out, lse and selected. Of all that is wrong with the candidates, the first of the gravest:
// then nothing was read out of bounds, and the results are not to be used.
Fault attend(const Call&, const Kernels&);

}  // namespace dysk
