// Double-double arithmetic (Dekker 1971; Knuth, TAOCP 4.2.2): a value is head + tail with |tail| <= ulp(head)/2, about 106
// bits. Every operation here relies on exact rounding of single additions, so contraction must stay off in this file.
#pragma STDC FP_CONTRACT OFF

#include "CKernels.h"

#include <math.h>

#if defined(__x86_64__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif

// s + e = a + b exactly.
#define TWO_SUM(a, b, s, e)       \
  double s = (a) + (b);           \
  double e##_b = s - (a);         \
  double e = ((a) - (s - e##_b)) + ((b) - e##_b)

// The product (ah + al)(bh + bl) as a normalised pair; relative error below 2^-102.
#define PRODUCT(ah, al, bh, bl, h, l)                              \
  double h##_p = (ah) * (bh);                                      \
  double h##_e = __builtin_fma((ah), (bh), -h##_p);                \
  h##_e += (ah) * (bl) + (al) * (bh);                              \
  double h = h##_p + h##_e;                                        \
  double l = h##_e - (h - h##_p)

// (ah + al) + (bh + bl) as a normalised pair; relative error below 2^-104 (the accurate variant: both tails by TWO_SUM).
#define SUM(ah, al, bh, bl, h, l)   \
  TWO_SUM(ah, bh, h##_s, h##_e);    \
  TWO_SUM(al, bl, h##_t, h##_f);    \
  h##_e += h##_t;                   \
  double h##_u = h##_s + h##_e;     \
  h##_e = h##_e - (h##_u - h##_s);  \
  h##_e += h##_f;                   \
  double h = h##_u + h##_e;         \
  double l = h##_e - (h - h##_u)

// r[j] = sum over rows of column `pivot` times column j, for j >= pivot.
WIDEST static void dots(const double *head, const double *tail, size_t rows, size_t columns, size_t pivot, double *rh,
                        double *rl) {
  for (size_t j = pivot; j < columns; j++) rh[j] = rl[j] = 0;
  for (size_t i = 0; i < rows; i++) {
    const double *h = head + i * columns, *t = tail + i * columns;
    double xh = h[pivot], xl = t[pivot];
    for (size_t j = pivot; j < columns; j++) {
      PRODUCT(xh, xl, h[j], t[j], ph, pl);
      SUM(rh[j], rl[j], ph, pl, sh, sl);
      rh[j] = sh;
      rl[j] = sl;
    }
  }
}

// Column j -= column `pivot` times w[j], for j > pivot.
WIDEST static void subtract(double *head, double *tail, size_t rows, size_t columns, size_t pivot, const double *wh,
                            const double *wl) {
  for (size_t i = 0; i < rows; i++) {
    double *h = head + i * columns, *t = tail + i * columns;
    double xh = -h[pivot], xl = -t[pivot];
    for (size_t j = pivot + 1; j < columns; j++) {
      PRODUCT(xh, xl, wh[j], wl[j], ph, pl);
      SUM(h[j], t[j], ph, pl, sh, sl);
      h[j] = sh;
      t[j] = sl;
    }
  }
}

// (ah + al) / (bh + bl) by one Newton correction of the double quotient; relative error below 2^-100.
static void quotient(double ah, double al, double bh, double bl, double *h, double *l) {
  double q = ah / bh;
  PRODUCT(q, 0.0, bh, bl, ph, pl);
  SUM(ah, al, -ph, -pl, rh, rl);
  double c = (rh + rl) / bh;
  *h = q + c;
  *l = c - (*h - q);
}

// The square root of ah + al by one Newton correction; relative error below 2^-100.
static void root(double ah, double al, double *h, double *l) {
  double x = sqrt(ah);
  PRODUCT(x, 0.0, x, 0.0, ph, pl);
  SUM(ah, al, -ph, -pl, rh, rl);
  double c = (rh + rl) / (2 * x);
  *h = x + c;
  *l = c - (*h - x);
}

void extended_gram_schmidt_step(double *head, double *tail, size_t rows, size_t columns, size_t pivot, double *r_head,
                                double *r_tail, double *work) {
  dots(head, tail, rows, columns, pivot, r_head, r_tail);
  double square_h = r_head[pivot], square_l = r_tail[pivot];
  if (!(square_h > 0)) {
    for (size_t j = pivot; j < columns; j++) r_head[j] = r_tail[j] = 0;
    return;
  }
  double norm_h, norm_l;
  root(square_h, square_l, &norm_h, &norm_l);
  double *wh = work, *wl = work + columns;
  for (size_t j = pivot + 1; j < columns; j++) {
    // The column itself is not normalised: x_j -= x_p (x_p.x_j / x_p.x_p) needs one division per entry of R instead of one
    // per entry of the matrix.
    quotient(r_head[j], r_tail[j], square_h, square_l, &wh[j], &wl[j]);
    quotient(r_head[j], r_tail[j], norm_h, norm_l, &r_head[j], &r_tail[j]);
  }
  r_head[pivot] = norm_h;
  r_tail[pivot] = norm_l;
  subtract(head, tail, rows, columns, pivot, wh, wl);
}
