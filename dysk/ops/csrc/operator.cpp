// dysk::sparse_knowledge_attention on the CPU: what it checks, and who computes. Registered through
// libtorch's stable ABI, so that one library serves every torch from 2.10 on. docs/op.md is the
// contract.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "attention.h"
#include "tensors.h"

namespace dysk {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

bool is_float(ScalarType type) {
  return type == ScalarType::Float || type == ScalarType::BFloat16 || type == ScalarType::Half ||
         type == ScalarType::Double;
}

struct Arguments {
  const Tensor &q, &k_arena, &v_arena, &summary, &block_start, &block_len, &candidates;
  const std::optional<Tensor>& prior;
  int64_t k;
  double scale, temperature;
  bool check_indices;
};

// validation.py has the words; this only knows whether there is something to say.
bool fits(const Arguments& x) {
  if (x.q.dim() != 4 || x.k_arena.dim() != 3 || x.v_arena.dim() != 3 || x.summary.dim() != 3 ||
      x.block_start.dim() != 1 || x.block_len.dim() != 1 || x.candidates.dim() != 2) {
    return false;
  }
  for (const Tensor* tensor : {&x.q, &x.k_arena, &x.v_arena, &x.summary, &x.block_start,
                               &x.block_len, &x.candidates}) {
    if (!tensor->is_cpu()) return false;
  }
  const auto q = x.q.sizes(), arena = x.k_arena.sizes(), values = x.v_arena.sizes();
  const auto summary = x.summary.sizes(), candidates = x.candidates.sizes();
  const int64_t blocks = x.block_start.size(0);
  if (arena[1] == 0 || q[1] == 0 || q[1] % arena[1] != 0 || arena[2] != q[3]) return false;
  if (values[0] != arena[0] || values[1] != arena[1] || values[2] != arena[2]) return false;
  if (x.block_len.size(0) != blocks || summary[0] != blocks || summary[1] != arena[1] ||
      summary[2] != q[3] || candidates[0] != q[0]) {
    return false;
  }
  const ScalarType type = x.q.scalar_type(), memory = x.k_arena.scalar_type();
  if (!is_float(type) || !is_float(memory) || x.v_arena.scalar_type() != memory ||
      x.summary.scalar_type() != memory || x.block_start.scalar_type() != ScalarType::Long ||
      x.candidates.scalar_type() != ScalarType::Long ||
      x.block_len.scalar_type() != ScalarType::Int) {
    return false;
  }
  if (x.prior) {
    const auto wide = type == ScalarType::Double ? ScalarType::Double : ScalarType::Float;
    if (x.prior->dim() != 2 || !x.prior->is_cpu() || x.prior->scalar_type() != wide ||
        x.prior->size(0) != candidates[0] || x.prior->size(1) != candidates[1]) {
      return false;
    }
  }
  return x.k >= 0 && std::isfinite(x.scale) && x.temperature > 0 && std::isfinite(x.temperature);
}

// float64 anywhere, and rows that are not contiguous, are left to the reference.
bool is_ours(const Arguments& x) {
  return type_of(x.q) && type_of(x.k_arena) && has_contiguous_rows(x.q) &&
         has_contiguous_rows(x.k_arena) && has_contiguous_rows(x.v_arena) &&
         has_contiguous_rows(x.summary);
}

Rows rows_of(const Tensor& x) {
  return {x.data_ptr(), type_of(x).value_or(Type::f32), x.stride(0), x.stride(1)};
}

Memory memory_of(const Arguments& x) {
  return {rows_of(x.k_arena), rows_of(x.v_arena), rows_of(x.summary),
          {data_of<int64_t>(x.block_start), x.block_start.stride(0)},
          {data_of<int32_t>(x.block_len), x.block_len.stride(0)},
          x.k_arena.size(0), x.block_start.size(0), x.k_arena.size(1), x.k_arena.size(2)};
}

void refuse(const Fault& fault, const Memory& memory) {
  const std::string block = std::to_string(fault.block);
  switch (fault.kind) {
    case Fault::none: return;
    case Fault::no_such_block:
      throw std::out_of_range("candidate " + block + " names no block: there are " +
                              std::to_string(memory.blocks) +
                              " blocks, so candidates lie in [0, F), and -1 pads");
    case Fault::block_outside_arena:
      throw std::out_of_range("block " + block + " starts at slot " +
                              std::to_string(memory.block_start[fault.block]) + " with length " +
                              std::to_string(memory.block_len[fault.block]) +
                              ", which does not lie in an arena of " +
                              std::to_string(memory.slots) + " slots");
    case Fault::prior_not_below_infinity:
      throw std::invalid_argument(
          "prior holds NaN or +inf; a finite prior biases a block, -inf closes it");
  }
}

void check(const Arguments& x) {
  const Memory memory = memory_of(x);
  const int64_t columns = x.candidates.size(1);
  Fault gravest;
  for (int64_t row = 0; row < x.candidates.size(0); ++row) {
    std::vector<float> prior;  // as far as it matters here
    for (int64_t column = 0; x.prior && column < columns; ++column) {
      const int64_t place = row * x.prior->stride(0) + column * x.prior->stride(1);
      const double value = x.prior->scalar_type() == ScalarType::Double
                               ? data_of<double>(*x.prior)[place]
                               : data_of<float>(*x.prior)[place];
      prior.push_back(value < HUGE_VAL ? 0.f : HUGE_VALF);
    }
    const Candidates candidates{
        {data_of<int64_t>(x.candidates) + row * x.candidates.stride(0), x.candidates.stride(1)},
        {x.prior ? prior.data() : nullptr, 1},
        columns};
    EligibleRow eligible(candidates);
    gravest = graver(gravest, eligible.find(memory, true));
    const Eligible all = eligible.eligible();
    gravest = graver(gravest, bounds(memory, all, 0, all.count));
  }
  refuse(gravest, memory);
}

using Result = std::tuple<Tensor, Tensor, Tensor>;

// The same checks for what the kernels do not compute: an error of Python's would lose its type on
// the way through the dispatcher.
Result reference(const Arguments& x) {
  if (x.check_indices) check(x);
  using torch::stable::detail::from;
  using torch::stable::detail::to;
  StableIValue stack[] = {from(x.q), from(x.k_arena), from(x.v_arena), from(x.summary),
                          from(x.block_start), from(x.block_len), from(x.candidates),
                          from(x.prior), from(x.k), from(x.scale), from(x.temperature),
                          from(false)};
  STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher(
      "dysk::sparse_knowledge_attention_reference", "", stack, TORCH_ABI_VERSION));
  return {to<Tensor>(stack[0]), to<Tensor>(stack[1]), to<Tensor>(stack[2])};
}

Result sparse_knowledge_attention(const Tensor& q, const Tensor& k_arena, const Tensor& v_arena,
                                  const Tensor& summary, const Tensor& block_start,
                                  const Tensor& block_len, const Tensor& candidates,
                                  const std::optional<Tensor>& prior, int64_t k, double scale,
                                  double temperature, bool check_indices) {
  const Arguments x{q,          k_arena, v_arena, summary, block_start, block_len,
                    candidates, prior,   k,       scale,   temperature, check_indices};
  if (!fits(x)) throw std::invalid_argument("the arguments do not fit together");
  if (!is_ours(x)) return reference(x);
  const Memory memory = memory_of(x);
  const int64_t batch = q.size(0), heads = q.size(1), queries = q.size(2);
  const Tensor out = torch::stable::new_empty(q, q.sizes());
  const Tensor lse = torch::stable::new_empty(q, {batch, heads, queries}, ScalarType::Float);
  const Tensor selected =
      torch::stable::new_empty(candidates, {batch, memory.kv_heads, queries, k});
  const Call call{
      memory,
      q.data_ptr(),
      *type_of(q),
      {q.stride(0), q.stride(1), q.stride(2)},
      batch,
      heads,
      queries,
      k,
      static_cast<float>(scale / temperature),
      data_of<int64_t>(candidates),
      prior ? data_of<float>(*prior) : nullptr,
      candidates.size(1),
      {candidates.stride(0), candidates.stride(1)},
      {prior ? prior->stride(0) : 0, prior ? prior->stride(1) : 0},
      check_indices,
      out.data_ptr(),
      static_cast<float*>(lse.data_ptr()),
      static_cast<int64_t*>(selected.data_ptr()),
  };
  refuse(attend(call, *kernels_in_use), memory);
  return {out, lse, selected};
}

}  // namespace

}  // namespace dysk

STABLE_TORCH_LIBRARY_IMPL(dysk, CPU, library) {
  library.impl("sparse_knowledge_attention", TORCH_BOX(&dysk::sparse_knowledge_attention));
}
