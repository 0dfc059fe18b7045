#include "elements.h"

#if defined(__x86_64__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif

// Sums may be reassociated, which is what lets them use vectors; their order is fixed when the code is compiled.
#define SUMS _Pragma("clang fp reassociate(on) contract(fast)")

#define ELEMENTS(REAL, SUFFIX)                                                                          \
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
    SUMS REAL largest = 0, poison = 0;                                                                  \
    for (size_t i = 0; i < n; i++) {                                                                    \
      REAL magnitude = x[i] < 0 ? -x[i] : x[i];                                                         \
      largest = magnitude > largest ? magnitude : largest;                                              \
      /* 0 for a finite value, NaN for any other: found without a branch. */                            \
      poison += x[i] * 0;                                                                               \
    }                                                                                                   \
    *is_finite = poison == 0;                                                                           \
    return largest;                                                                                     \
  }

ELEMENTS(float, f32)
ELEMENTS(double, f64)
