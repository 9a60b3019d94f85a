// dysk::sparse_knowledge_attention and dysk::merge_attention on the CPU: what they check, how the
// work is cut into pieces, and who computes them. Registered through libtorch's stable ABI, so that
// one library serves every torch from 2.10 on. docs/op.md is the contract.
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
#include "kernels.h"

namespace dysk {
namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// Of the instruction sets that this processor has, the one in use.
const Kernels* kernels = &baseline::kernels;

std::optional<Type> type_of(const Tensor& x) {
  switch (x.scalar_type()) {
    case ScalarType::Float: return Type::f32;
    case ScalarType::BFloat16: return Type::bf16;
    case ScalarType::Half: return Type::f16;
    default: return std::nullopt;
  }
}

bool is_float(ScalarType type) {
  return type == ScalarType::Float || type == ScalarType::BFloat16 || type == ScalarType::Half ||
         type == ScalarType::Double;
}

bool has_contiguous_rows(const Tensor& x) {
  const int64_t last = x.dim() - 1;
  return x.size(last) <= 1 || x.stride(last) == 1;
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

template <class Number>
const Number* data_of(const Tensor& x) {
  return static_cast<const Number*>(x.data_ptr());
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
  refuse(attend(call, *kernels), memory);
  return {out, lse, selected};
}

bool is_shaped(const Tensor& x, const Tensor& like, int64_t dims) {
  if (!x.is_cpu() || x.dim() != dims || like.dim() < dims) return false;
  for (int64_t i = 0; i < dims; ++i) {
    if (x.size(i) != like.size(i)) return false;
  }
  return true;
}

// Out of place. merge.py has the mathematics, and computes what is refused here.
std::tuple<Tensor, Tensor> merge_attention(const Tensor& out_a, const Tensor& lse_a,
                                           const Tensor& out_b, const Tensor& lse_b) {
  const auto type = type_of(out_a);
  if (!is_shaped(out_a, out_a, 4) || !is_shaped(out_b, out_a, 4) || !is_shaped(lse_a, out_a, 3) ||
      !is_shaped(lse_b, out_a, 3) || !type || type_of(out_b) != type ||
      type_of(lse_a) != Type::f32 || type_of(lse_b) != Type::f32 ||
      !has_contiguous_rows(out_a) || !has_contiguous_rows(out_b)) {
    throw std::invalid_argument("the parts do not fit together");
  }
  const Tensor out = torch::stable::empty_like(out_a), lse = torch::stable::empty_like(lse_a);
  const int64_t heads = out_a.size(1), queries = out_a.size(2), dim = out_a.size(3);
  const auto places_of = [&](const Tensor& x, int64_t bytes) {
    return [=, data = static_cast<char*>(x.data_ptr()), a = x.stride(0), b = x.stride(1),
            c = x.stride(2)](int64_t row) {
      return data + bytes * (row / (heads * queries) * a + row / queries % heads * b +
                             row % queries * c);
    };
  };
  const auto row_a = places_of(out_a, size_of(*type)), row_b = places_of(out_b, size_of(*type));
  const auto row_out = places_of(out, size_of(*type)), at = places_of(lse, sizeof(float));
  const auto at_a = places_of(lse_a, sizeof(float)), at_b = places_of(lse_b, sizeof(float));
  const auto merge = [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      kernels->merge({row_a(row), row_b(row), row_out(row), *reinterpret_cast<float*>(at_a(row)),
                      *reinterpret_cast<float*>(at_b(row)), reinterpret_cast<float*>(at(row))},
                     dim, *type);
    }
  };
  torch::stable::parallel_for(0, out_a.size(0) * heads * queries, 1 << 11, merge);
  return {out, lse};
}

}  // namespace

// Use the widest instruction set up to `level` (0 baseline, 1 AVX2, 2 AVX-512) that this processor
// and this build have; its level. For tests: not while another thread computes.
extern "C" __attribute__((visibility("default"))) int dysk_use_level(int level) {
#if defined(__x86_64__)
  if (level >= 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    kernels = &avx512::kernels;
    return 2;
  }
  if (level >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c")) {
    kernels = &avx2::kernels;
    return 1;
  }
#endif
  kernels = &baseline::kernels;
  return 0;
}

namespace {
[[maybe_unused]] const int best_level = dysk_use_level(2);
}  // namespace

}  // namespace dysk

STABLE_TORCH_LIBRARY_IMPL(dysk, CPU, library) {
  library.impl("sparse_knowledge_attention", TORCH_BOX(&dysk::sparse_knowledge_attention));
  library.impl("merge_attention", TORCH_BOX(&dysk::merge_attention));
}
