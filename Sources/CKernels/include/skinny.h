#pragma once
#include <stddef.h>

/// Whether the two products below have a kernel for this processor: they need fused multiply-adds on vectors of at least 256 bits.
int has_skinny_products(void);

/// c = alpha · xᵀ·y for tall x (n × p) and y (n × q), with p and q of at least 8; c (p × q) has rows of q. All are row-major, rows
/// of x and y begin every `ldx` and `ldy` elements. Where x and y are the same, half of c is computed and mirrored.
void skinny_product_tall(size_t p, size_t q, size_t n, double alpha, const double *x, size_t ldx, const double *y, size_t ldy,
                         double *c);

/// c = alpha · x·yᵀ for wide x (p × n) and y (q × n), laid out likewise.
void skinny_product_wide(size_t p, size_t q, size_t n, double alpha, const double *x, size_t ldx, const double *y, size_t ldy,
                         double *c);

/// The same products with a y of Float32, which is widened as it is read: c = xᵀ·y and c = x·yᵀ, with p and q of at least 8.
void skinny_product_tall_float(size_t p, size_t q, size_t n, const double *x, size_t ldx, const float *y, size_t ldy, double *c);
void skinny_product_wide_float(size_t p, size_t q, size_t n, const double *x, size_t ldx, const float *y, size_t ldy, double *c);
