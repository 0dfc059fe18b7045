#pragma once
#include <stddef.h>

/// Products with a matrix that was laid out beforehand, for float and double. A BLAS lays out both factors at every call, which with few
/// rows takes a good part of the time.
///
/// Every element of the result is summed in the order of k, whatever the other rows are: it depends on its own row and column alone.
#define PACKED_KERNELS(REAL, SUFFIX)                                                                                                \
  /** How many rows of w lie side by side in a panel; 0 on a processor that these kernels have no vectors for. */                 \
  size_t panel_rows_##SUFFIX(void);                                                                                               \
  /** Lays out the row-major w (n × k) in panels, each column by column; the last one is filled up with zeros. */                \
  void pack_panels_##SUFFIX(const REAL *w, size_t n, size_t k, REAL *panels);                                                     \
  /** y = alpha · x·wᵀ, or y += alpha · x·wᵀ where `adds`, for m rows of x; a row of x, of y begins every so many elements. */    \
  void packed_product_##SUFFIX(const REAL *x, size_t ldx, size_t m, const REAL *panels, size_t n, size_t k, REAL alpha, int adds, \
                               REAL *y, size_t ldy);

PACKED_KERNELS(float, f32)
PACKED_KERNELS(double, f64)
#undef PACKED_KERNELS
