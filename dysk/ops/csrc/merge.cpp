// dysk::merge_attention on the CPU: one pass instead of a dozen operators. merge.py has the
// mathematics, and computes what is refused here.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>

#include <stdexcept>
#include <tuple>

#include "tensors.h"

namespace dysk {
namespace {

bool is_shaped(const Tensor& x, const Tensor& like, int64_t dims) {
  if (!x.is_cpu() || x.dim() != dims || like.dim() < dims) return false;
  for (int64_t i = 0; i < dims; ++i) {
    if (x.size(i) != like.size(i)) return false;
  }
  return true;
}

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
      kernels_in_use->merge({row_a(row), row_b(row), row_out(row), *reinterpret_cast<float*>(at_a(row)),
                      *reinterpret_cast<float*>(at_b(row)), reinterpret_cast<float*>(at(row))},
                     dim, *type);
    }
  };
  torch::stable::parallel_for(0, out_a.size(0) * heads * queries, 1 << 11, merge);
  return {out, lse};
}

}  // namespace
}  // namespace dysk

STABLE_TORCH_LIBRARY_IMPL(dysk, CPU, library) {
  library.impl("merge_attention", TORCH_BOX(&dysk::merge_attention));
}
