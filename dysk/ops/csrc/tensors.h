// What both operators ask of tensors, and the kernels that both use.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include <optional>

#include "kernels.h"

namespace dysk {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// Of the instruction sets that this processor has, the one in use.
extern const Kernels* kernels_in_use;

inline std::optional<Type> type_of(const Tensor& x) {
  switch (x.scalar_type()) {
    case ScalarType::Float: return Type::f32;
    case ScalarType::BFloat16: return Type::bf16;
    case ScalarType::Half: return Type::f16;
    default: return std::nullopt;
  }
}

inline bool has_contiguous_rows(const Tensor& x) {
  const int64_t last = x.dim() - 1;
  return x.size(last) <= 1 || x.stride(last) == 1;
}

template <class Number>
const Number* data_of(const Tensor& x) {
  return static_cast<const Number*>(x.data_ptr());
}

}  // namespace dysk
