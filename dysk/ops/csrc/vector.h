// A vector of floats as wide as the instruction set that this file is compiled for. Everything is
// static: code compiled for AVX-512 must never be what the linker picks for the baseline.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "kernels.h"

namespace dysk {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif

typedef float Vector __attribute__((vector_size(kLanes * 4)));
typedef int32_t Ints __attribute__((vector_size(kLanes * 4)));
typedef uint32_t Words __attribute__((vector_size(kLanes * 4)));
typedef uint16_t Halves __attribute__((vector_size(kLanes * 2)));

constexpr float kInfinity = __builtin_inff();

inline Vector splat(float x) { return x - Vector{}; }

inline Vector load(const float* p) {
  Vector v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

inline Vector load(const bf16_t* p) {
  Halves h;
  std::memcpy(&h, p, sizeof h);
  return (Vector)(__builtin_convertvector(h, Words) << 16);
}

// Exact, subnormals, infinities and NaN included: 2^-112 moves the exponent's bias of 127 to 15.
inline float wide(f16_t half) {
  const uint32_t magnitude = half.bits & 0x7fffu, sign = (half.bits & 0x8000u) << 16;
  uint32_t bits = magnitude << 13;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  x *= 0x1p112f;
  std::memcpy(&bits, &x, sizeof x);
  if (magnitude >= 0x7c00u) bits = 0x7f800000u | (magnitude & 0x3ffu) << 13;
  bits |= sign;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

inline Vector load(const f16_t* p) {
#if defined(__AVX512F__)
  return (Vector)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p));
#elif defined(__F16C__)
  return (Vector)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p));
#else
  Vector v;
  for (int i = 0; i < kLanes; ++i) v[i] = wide(p[i]);
  return v;
#endif
}

// The first n lanes; zero beyond, where nothing is read.
template <class Element>
inline Vector load_first(const Element* p, int64_t n) {
  Element whole[kLanes] = {};
  std::memcpy(whole, p, n * sizeof(Element));
  return load(whole);
}

inline void store(float* p, Vector v) { std::memcpy(p, &v, sizeof v); }

#if defined(__AVX512F__)
#define LOW_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODDS 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#else
#define LOW_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define ODDS 1, 3, 5, 7, 9, 11, 13, 15
#endif

// Lanes of a and b in turn: of their lower halves, of their upper halves.
inline Vector zip_low(Vector a, Vector b) { return __builtin_shufflevector(a, b, LOW_HALVES); }
inline Vector zip_high(Vector a, Vector b) { return __builtin_shufflevector(a, b, HIGH_HALVES); }

// Two vectors of neighbouring elements, in the order that is cheapest to widen: as they stand, or,
// where two of them share a word, first those in its lower half. A query has to follow suit.
struct Pair {
  Vector first, second;
};

template <class Element>
inline Pair load_pair(const Element* p) {
  return {load(p), load(p + kLanes)};
}

template <class Element>
inline Pair load_query_pair(const float* p) {
  return {load(p), load(p + kLanes)};
}

template <class Element>
inline void store_pair(float* p, Pair pair) {
  store(p, pair.first);
  store(p + kLanes, pair.second);
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
template <>
inline Pair load_pair(const bf16_t* p) {
  Words words;
  std::memcpy(&words, p, sizeof words);
  return {(Vector)(words << 16), (Vector)(words & 0xffff0000u)};
}

template <>
inline Pair load_query_pair<bf16_t>(const float* p) {
  const Vector a = load(p), b = load(p + kLanes);
  return {__builtin_shufflevector(a, b, EVENS), __builtin_shufflevector(a, b, ODDS)};
}

template <>
inline void store_pair<bf16_t>(float* p, Pair pair) {
  store(p, zip_low(pair.first, pair.second));
  store(p + kLanes, zip_high(pair.first, pair.second));
}
#endif

// v[i][j] becomes v[j][i]: zipping the upper half of the vectors into the lower one moves each bit
// of a lane's place by one.
inline void transpose(Vector* v) {
  for (int round = 1; round < kLanes; round *= 2) {
    Vector zipped[kLanes];
    for (int i = 0; i < kLanes / 2; ++i) {
      zipped[2 * i] = zip_low(v[i], v[i + kLanes / 2]);
      zipped[2 * i + 1] = zip_high(v[i], v[i + kLanes / 2]);
    }
    std::memcpy(v, zipped, sizeof zipped);
  }
}

// Round to nearest, ties to even.
inline void narrow(float x, float* to) { *to = x; }

inline void narrow(float x, bf16_t* to) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof x);
  to->bits = x == x ? (bits + 0x7fffu + (bits >> 16 & 1)) >> 16 : 0x7fc0;
}

inline void narrow(float x, f16_t* to) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof x);
  const uint16_t sign = bits >> 16 & 0x8000u;
  bits &= 0x7fffffffu;
  if (bits >= 0x7f800000u) {
    to->bits = sign | (bits > 0x7f800000u ? 0x7e00 : 0x7c00);
  } else if (bits < 0x38800000u) {
    // Subnormal: adding 0.5 leaves the last bit worth 2^-24, and rounds on the way.
    float small;
    std::memcpy(&small, &bits, sizeof small);
    small += 0.5f;
    std::memcpy(&bits, &small, sizeof bits);
    to->bits = sign | (bits - 0x3f000000u);
  } else {
    const uint32_t rounded = bits + 0xfffu + (bits >> 13 & 1);
    to->bits = rounded >= 0x47800000u ? sign | 0x7c00 : sign | (rounded - 0x38000000u) >> 13;
  }
}

inline Vector greater(Vector a, Vector b) { return a > b ? a : b; }

inline float greatest(Vector v) {
  float x = v[0];
  for (int i = 1; i < kLanes; ++i) x = v[i] > x ? v[i] : x;
  return x;
}

// Whether any lane of a comparison holds.
inline bool any(Ints mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask);
#elif defined(__AVX2__)
  return _mm256_movemask_ps((__m256)mask);
#else
  int64_t words[kLanes / 2], all = 0;
  std::memcpy(words, &mask, sizeof mask);
  for (int64_t word : words) all |= word;
  return all;
#endif
}

inline float sum(Vector v) {
  float lanes[kLanes];
  store(lanes, v);
  for (int half = kLanes / 2; half; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// e^x for x ≤ 0, within 2 units in the last place: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]
// (Cephes, expf.c). Zero below the least normal number; NaN stays NaN.
inline Vector exponential(Vector x) {
  const Vector least = splat(-87.3f);
  const Vector clamped = least > x ? least : x;
  const Vector shift = splat(12582912.f);  // 1.5 · 2^23: adding it rounds to an integer
  const Vector n = (clamped * splat(1.44269504088896341f) + shift) - shift;
  const Vector r = clamped - n * splat(0.693359375f) + n * splat(2.12194440e-4f);
  Vector p = splat(1.9875691500e-4f);
  p = p * r + splat(1.3981999507e-3f);
  p = p * r + splat(8.3334519073e-3f);
  p = p * r + splat(4.1665795894e-2f);
  p = p * r + splat(1.6666665459e-1f);
  p = p * r + splat(5.0000001201e-1f);
  p = p * r * r + r + splat(1.f);
  const Vector power = (Vector)((__builtin_convertvector(n, Ints) + 127) << 23);
  return least > x ? Vector{} : p * power;
}

inline float exponential(float x) { return exponential(splat(x))[0]; }

// Lane i of the result is the sum of v[i]. Each sum is taken in the same order, so that equal
// vectors give equal sums in whichever place they stand.
inline Vector sums(const Vector* v) {
#if defined(__AVX512F__)
  constexpr int kGroups = 4;
#else
  constexpr int kGroups = 2;
#endif
  Vector four[kGroups];  // each run of 4 lanes: one partial sum of each of 4 vectors
  for (int i = 0; i < kGroups; ++i, v += 4) {
#if defined(__AVX512F__)
#define UNPACK_LOW 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define UNPACK_HIGH 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define PAIRS_LOW 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define PAIRS_HIGH 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#else
#define UNPACK_LOW 0, 8, 1, 9, 4, 12, 5, 13
#define UNPACK_HIGH 2, 10, 3, 11, 6, 14, 7, 15
#define PAIRS_LOW 0, 1, 8, 9, 4, 5, 12, 13
#define PAIRS_HIGH 2, 3, 10, 11, 6, 7, 14, 15
#endif
    const Vector a = __builtin_shufflevector(v[0], v[1], UNPACK_LOW) +
                     __builtin_shufflevector(v[0], v[1], UNPACK_HIGH);
    const Vector b = __builtin_shufflevector(v[2], v[3], UNPACK_LOW) +
                     __builtin_shufflevector(v[2], v[3], UNPACK_HIGH);
    four[i] = __builtin_shufflevector(a, b, PAIRS_LOW) + __builtin_shufflevector(a, b, PAIRS_HIGH);
  }
#if defined(__AVX512F__)
#define HALVES_LOW 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HALVES_HIGH 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define RUNS_EVEN 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define RUNS_ODD 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
  const Vector a = __builtin_shufflevector(four[0], four[1], HALVES_LOW) +
                   __builtin_shufflevector(four[0], four[1], HALVES_HIGH);
  const Vector b = __builtin_shufflevector(four[2], four[3], HALVES_LOW) +
                   __builtin_shufflevector(four[2], four[3], HALVES_HIGH);
  return __builtin_shufflevector(a, b, RUNS_EVEN) + __builtin_shufflevector(a, b, RUNS_ODD);
#else
  return __builtin_shufflevector(four[0], four[1], 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(four[0], four[1], 4, 5, 6, 7, 12, 13, 14, 15);
#endif
}

}  // namespace
}  // namespace dysk
