#include "elements.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif

// Sums may be reassociated, which is what lets them use vectors; their order is fixed when the code is compiled.
#define SUMS _Pragma("clang fp reassociate(on) contract(fast)")

// Without the sign, the bits of floating-point numbers are in the order of their values, with infinity and NaN the largest: comparing
// them as integers has no special cases, and so uses vectors.
#define ELEMENTS(REAL, BITS, SUFFIX, SIGN, INFINITE)                                                    \
  WIDEST double sum_of_squares_##SUFFIX(const REAL *x, size_t n, double scale) {                        \
    SUMS double sum = 0;                                                                                \
    for (size_t i = 0; i < n; i++) {                                                                    \
      double scaled = (double)x[i] * scale;                                                             \
      sum += scaled * scaled;                                                                           \
    }                                                                                                   \
    return sum;                                                                                         \
  }                                                                                                     \
                                                                                                        \
  WIDEST REAL largest_magnitude_##SUFFIX(const REAL *x, size_t n, int *is_finite) {                     \
    BITS largest = 0;                                                                                   \
    for (size_t i = 0; i < n; i++) {                                                                    \
      BITS bits;                                                                                        \
      memcpy(&bits, x + i, sizeof bits);                                                                \
      bits &= ~SIGN;                                                                                    \
      largest = bits > largest ? bits : largest;                                                        \
    }                                                                                                   \
    *is_finite = largest < INFINITE;                                                                    \
    REAL value;                                                                                         \
    memcpy(&value, &largest, sizeof value);                                                             \
    return value;                                                                                       \
  }                                                                                                     \
                                                                                                        \
  WIDEST size_t count_non_finite_##SUFFIX(const REAL *x, size_t n) {                                    \
    BITS count = 0;                                                                                     \
    for (size_t i = 0; i < n; i++) {                                                                    \
      BITS bits;                                                                                        \
      memcpy(&bits, x + i, sizeof bits);                                                                \
      count += (bits & ~SIGN) >= INFINITE;                                                              \
    }                                                                                                   \
    return (size_t)count;                                                                               \
  }

ELEMENTS(float, uint32_t, f32, 0x80000000u, 0x7f800000u)
ELEMENTS(double, uint64_t, f64, 0x8000000000000000u, 0x7ff0000000000000u)
