#include "packed.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("clang loop unroll(full)")

#if defined(__x86_64__)

// Without a least width of vectors, a function for x86-64-v4 would have those of 512 bits split in two.
#define V4 __attribute__((target("arch=x86-64-v4"), min_vector_width(512)))
#define V3 __attribute__((target("arch=x86-64-v3"), min_vector_width(256)))

// 32 registers of 512 bits.
#define TARGET V4
#define HEIGHT 8
#define REAL float
#define LANES 16
#define NAME(x) x##_f32_v4
#include "packed_template.h"
#undef REAL
#undef LANES
#undef NAME
#define REAL double
#define LANES 8
#define NAME(x) x##_f64_v4
#include "packed_template.h"
#undef REAL
#undef LANES
#undef NAME
#undef TARGET
#undef HEIGHT

// 16 registers of 256 bits.
#define TARGET V3
#define HEIGHT 6
#define REAL float
#define LANES 8
#define NAME(x) x##_f32_v3
#include "packed_template.h"
#undef REAL
#undef LANES
#undef NAME
#define REAL double
#define LANES 4
#define NAME(x) x##_f64_v3
#include "packed_template.h"

static size_t vector_bytes(void) {
  return __builtin_cpu_supports("x86-64-v4") ? 64 : __builtin_cpu_supports("x86-64-v3") ? 32 : 0;
}

#define DISPATCH(SUFFIX, ...)                        \
  if (__builtin_cpu_supports("x86-64-v4")) {         \
    packed_product_##SUFFIX##_v4(__VA_ARGS__);       \
  } else if (__builtin_cpu_supports("x86-64-v3")) {  \
    packed_product_##SUFFIX##_v3(__VA_ARGS__);       \
  } else {                                           \
    __builtin_trap();                                \
  }

#else

static size_t vector_bytes(void) { return 0; }

#define DISPATCH(SUFFIX, ...) __builtin_trap();

#endif

#define PACKED(REAL, SUFFIX)                                                                                                      \
  size_t panel_rows_##SUFFIX(void) { return 2 * vector_bytes() / sizeof(REAL); }                                                  \
                                                                                                                                  \
  void pack_panels_##SUFFIX(const REAL *w, size_t n, size_t k, REAL *panels) {                                                    \
    size_t width = panel_rows_##SUFFIX();                                                                                         \
    for (size_t first = 0; first < n; first += width, panels += width * k) {                                                      \
      /* As many columns at once as stay in the nearest cache. */                                                               \
      for (size_t left = 0; left < k; left += 64) {                                                                               \
        size_t right = k - left < 64 ? k : left + 64;                                                                             \
        for (size_t i = 0; i < width; i++) {                                                                                      \
          for (size_t j = left; j < right; j++) panels[j * width + i] = first + i < n ? w[(first + i) * k + j] : 0;              \
        }                                                                                                                         \
      }                                                                                                                           \
    }                                                                                                                             \
  }                                                                                                                               \
                                                                                                                                  \
  void packed_product_##SUFFIX(const REAL *x, size_t ldx, size_t m, const REAL *panels, size_t n, size_t k, REAL alpha, int adds, \
                               REAL *y, size_t ldy) {                                                                             \
    DISPATCH(SUFFIX, x, ldx, m, panels, n, k, alpha, adds, y, ldy)                                                                \
  }

PACKED(float, f32)
PACKED(double, f64)
