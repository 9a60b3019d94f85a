// Which instruction set computes.
#include "kernels.h"

namespace dysk {

const Kernels* kernels_in_use = &baseline::kernels;

// Use the widest instruction set up to `level` (0 baseline, 1 AVX2, 2 AVX-512) that this processor
// and this build have; its level. For tests: not while another thread computes.
extern "C" __attribute__((visibility("default"))) int dysk_use_level(int level) {
#if defined(__x86_64__)
  if (level >= 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    kernels_in_use = &avx512::kernels;
    return 2;
  }
  if (level >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c")) {
    kernels_in_use = &avx2::kernels;
    return 1;
  }
#endif
  kernels_in_use = &baseline::kernels;
  return 0;
}

namespace {
[[maybe_unused]] const int best_level = dysk_use_level(2);
}  // namespace

}  // namespace dysk
