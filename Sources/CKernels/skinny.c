#include "skinny.h"

#include <string.h>

// A BLAS copies both factors into panels before it multiplies. Where the result is small and the inner dimension long, that takes as
// long as the multiplication; these kernels read the rows as they lie in memory. Without a least width of vectors, a function for
// x86-64-v4 would have those of 512 bits split in two.

#if defined(__x86_64__)

// 32 registers of 512 bits.
#define TARGET __attribute__((target("arch=x86-64-v4"), min_vector_width(512)))
#define LANES 8
#define TALL_VECTORS 3
#define WIDE_HEIGHT 6
#define NAME(x) x##_v4
#define Y double
#include "skinny_template.h"
#undef NAME
#undef Y
#define NAME(x) x##_float_v4
#define Y float
#include "skinny_template.h"
#undef NAME
#undef Y
#undef TARGET
#undef LANES
#undef TALL_VECTORS
#undef WIDE_HEIGHT

// 16 registers of 256 bits.
#define TARGET __attribute__((target("arch=x86-64-v3"), min_vector_width(256)))
#define LANES 4
#define TALL_VECTORS 3
#define WIDE_HEIGHT 3
#define NAME(x) x##_v3
#define Y double
#include "skinny_template.h"
#undef NAME
#undef Y
#define NAME(x) x##_float_v3
#define Y float
#include "skinny_template.h"

int has_skinny_products(void) { return __builtin_cpu_supports("x86-64-v3") != 0; }

typedef void block_product(size_t, size_t, size_t, int, const double *, size_t, const double *, size_t, double *);

static int is_gram(size_t p, size_t q, const double *x, size_t ldx, const double *y, size_t ldy) {
  return x == y && ldx == ldy && p == q;
}

// As many rows of both as stay in a first-level cache, of 32 KiB or more.
static size_t block_height(size_t p, size_t q) {
  size_t height = 3584 / (p + q);
  return height < 16 ? 16 : height > 64 ? 64 : height;
}

// As many columns of both as stay in a second-level cache: rows that are a power of two apart would displace one another in the first.
static size_t block_width(size_t p, size_t q) {
  size_t width = 40960 / (p + q) & ~(size_t)7;
  return width < 64 ? 64 : width;
}

// Mirrors the upper half of a Gram matrix, and multiplies with the factor.
static void finish(size_t p, size_t q, int gram, double alpha, double *c) {
  for (size_t i = 0; gram && i < p; i++) {
    for (size_t j = 0; j < i; j++) c[i * q + j] = c[j * q + i];
  }
  for (size_t i = 0; alpha != 1 && i < p * q; i++) c[i] *= alpha;
}

void skinny_product_tall(size_t p, size_t q, size_t n, double alpha, const double *x, size_t ldx, const double *y, size_t ldy,
                         double *c) {
  block_product *multiply = __builtin_cpu_supports("x86-64-v4") ? tall_block_v4 : tall_block_v3;
  int gram = is_gram(p, q, x, ldx, y, ldy);
  memset(c, 0, p * q * sizeof *c);
  size_t height = block_height(p, q);
  for (size_t k = 0; k < n; k += height) {
    multiply(p, q, n - k < height ? n - k : height, gram, x + k * ldx, ldx, y + k * ldy, ldy, c);
  }
  finish(p, q, gram, alpha, c);
}

void skinny_product_wide(size_t p, size_t q, size_t n, double alpha, const double *x, size_t ldx, const double *y, size_t ldy,
                         double *c) {
  block_product *multiply = __builtin_cpu_supports("x86-64-v4") ? wide_block_v4 : wide_block_v3;
  int gram = is_gram(p, q, x, ldx, y, ldy);
  memset(c, 0, p * q * sizeof *c);
  size_t width = block_width(p, q);
  for (size_t k = 0; k < n; k += width) {
    multiply(p, q, n - k < width ? n - k : width, gram, x + k, ldx, y + k, ldy, c);
  }
  finish(p, q, gram, alpha, c);
}

typedef void float_block_product(size_t, size_t, size_t, int, const double *, size_t, const float *, size_t, double *);

void skinny_product_tall_float(size_t p, size_t q, size_t n, const double *x, size_t ldx, const float *y, size_t ldy, double *c) {
  float_block_product *multiply = __builtin_cpu_supports("x86-64-v4") ? tall_block_float_v4 : tall_block_float_v3;
  memset(c, 0, p * q * sizeof *c);
  size_t height = block_height(p, q);
  for (size_t k = 0; k < n; k += height) {
    multiply(p, q, n - k < height ? n - k : height, 0, x + k * ldx, ldx, y + k * ldy, ldy, c);
  }
}

void skinny_product_wide_float(size_t p, size_t q, size_t n, const double *x, size_t ldx, const float *y, size_t ldy, double *c) {
  float_block_product *multiply = __builtin_cpu_supports("x86-64-v4") ? wide_block_float_v4 : wide_block_float_v3;
  memset(c, 0, p * q * sizeof *c);
  size_t width = block_width(p, q);
  for (size_t k = 0; k < n; k += width) {
    multiply(p, q, n - k < width ? n - k : width, 0, x + k, ldx, y + k, ldy, c);
  }
}

#else

int has_skinny_products(void) { return 0; }

void skinny_product_tall(size_t p, size_t q, size_t n, double alpha, const double *x, size_t ldx, const double *y, size_t ldy,
                         double *c) {
  __builtin_trap();
}

void skinny_product_wide(size_t p, size_t q, size_t n, double alpha, const double *x, size_t ldx, const double *y, size_t ldy,
                         double *c) {
  __builtin_trap();
}

void skinny_product_tall_float(size_t p, size_t q, size_t n, const double *x, size_t ldx, const float *y, size_t ldy, double *c) {
  __builtin_trap();
}

void skinny_product_wide_float(size_t p, size_t q, size_t n, const double *x, size_t ldx, const float *y, size_t ldy, double *c) {
  __builtin_trap();
}

#endif
