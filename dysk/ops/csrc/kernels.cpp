// The arithmetic of sparse knowledge attention. Compiled once for each instruction set, into the
// namespace DYSK_ISA; no standard template is used, since the linker would share its instances.
#include "kernels.h"

#include "attend.h"
#include "score.h"
#include "select.h"
#include "vector.h"

namespace dysk {
namespace {

template <class Element>
void widen(const Element* from, int64_t n, float factor, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(to + i, load(from + i) * splat(factor));
  for (; i < n; ++i) to[i] = load_first(from + i, 1)[0] * factor;
}

void widen_any(const void* from, Type type, int64_t n, float factor, float* to) {
  switch (type) {
    case Type::f32: widen(static_cast<const float*>(from), n, factor, to); break;
    case Type::bf16: widen(static_cast<const bf16_t*>(from), n, factor, to); break;
    case Type::f16: widen(static_cast<const f16_t*>(from), n, factor, to); break;
  }
}

template <class Element>
void merge(const MergeRow& row, int64_t dim) {
  // From the higher one on, so that the order of the parts does not matter to the last bit.
  const bool a_first = row.lse_b == -kInfinity ||
                       (row.lse_a != -kInfinity && !(row.lse_a < row.lse_b));
  const Element* more = static_cast<const Element*>(a_first ? row.a : row.b);
  const Element* less = static_cast<const Element*>(a_first ? row.b : row.a);
  const float high = a_first ? row.lse_a : row.lse_b, low = a_first ? row.lse_b : row.lse_a;
  Element* out = static_cast<Element*>(row.out);
  if (low == -kInfinity) {
    *row.lse = high;
    if (high == -kInfinity) {
      std::memset(out, 0, dim * sizeof(Element));
    } else {
      std::memcpy(out, more, dim * sizeof(Element));
    }
    return;
  }
  const float ratio = __builtin_expf(low - high), share = 1.f / (1.f + ratio);
  *row.lse = high + __builtin_log1pf(ratio);
  int64_t d = 0;
  for (; d + kLanes <= dim; d += kLanes) {
    float mixed[kLanes];
    store(mixed, load(more + d) * splat(share) + load(less + d) * splat(ratio * share));
    for (int i = 0; i < kLanes; ++i) narrow(mixed[i], out + d + i);
  }
  for (; d < dim; ++d) {
    const float x = load_first(more + d, 1)[0], y = load_first(less + d, 1)[0];
    narrow(x * share + y * (ratio * share), out + d);
  }
}

void merge_any(const MergeRow& row, int64_t dim, Type type) {
  switch (type) {
    case Type::f32: merge<float>(row, dim); break;
    case Type::bf16: merge<bf16_t>(row, dim); break;
    case Type::f16: merge<f16_t>(row, dim); break;
  }
}

}  // namespace

const Kernels DYSK_ISA::kernels{score_any, select, attend_any, merge_any, widen_any};

}  // namespace dysk
