// Included once per width of vectors, with
//   TARGET        the attribute that permits the instructions,
//   NAME(x)       the name of this version of x,
//   LANES         doubles in a vector, 4 or 8,
//   TALL_VECTORS  the widest tile of xᵀ·y, in vectors: LANES rows of it are accumulators,
//   WIDE_HEIGHT   the rows of a tile of x·yᵀ, which is 4 columns wide,
//   Y             the type of the entries of y, double or float; floats are widened as they are loaded.

typedef double NAME(vector) __attribute__((vector_size(8 * LANES)));
typedef double NAME(unaligned) __attribute__((vector_size(8 * LANES), aligned(8)));
typedef Y NAME(loaded) __attribute__((vector_size(sizeof(Y) * LANES), aligned(sizeof(Y))));

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("clang loop unroll(full)")

// MARK: xᵀ·y, with the rows of y as vectors and x as factors of them

// c += xᵀ·y for n rows of LANES elements of x and `vectors` vectors of y, a constant where this is inlined.
TARGET ALWAYS_INLINE void NAME(tall_tile)(int vectors, size_t n, const double *x, size_t ldx, const Y *y, size_t ldy, double *c,
                                          size_t ldc) {
  NAME(vector) sums[LANES][TALL_VECTORS];
  UNROLLED for (int i = 0; i < LANES; i++) {
    UNROLLED for (int j = 0; j < vectors; j++) sums[i][j] = (NAME(vector)){0};
  }
  for (size_t k = 0; k < n; k++, x += ldx, y += ldy) {
    NAME(vector) row[TALL_VECTORS];
    UNROLLED for (int j = 0; j < vectors; j++) {
      row[j] = __builtin_convertvector(*(const NAME(loaded) *)(y + j * LANES), NAME(vector));
    }
    UNROLLED for (int i = 0; i < LANES; i++) {
      UNROLLED for (int j = 0; j < vectors; j++) sums[i][j] += x[i] * row[j];
    }
  }
  UNROLLED for (int i = 0; i < LANES; i++) {
    UNROLLED for (int j = 0; j < vectors; j++) *(NAME(unaligned) *)(c + i * ldc + j * LANES) += sums[i][j];
  }
}

// c += xᵀ·y of a block of n rows; of a Gram matrix at least the upper half.
TARGET static void NAME(tall_block)(size_t p, size_t q, size_t n, int is_gram, const double *x, size_t ldx, const Y *y, size_t ldy,
                                    double *c) {
  for (size_t i = 0; i < p; i += LANES) {
    // A tile that would stick out is moved back, and gives what is still missing.
    size_t top = i + LANES <= p ? i : p - LANES;
    for (size_t j = is_gram ? i : 0; j < q;) {
      size_t missing = (q - j + LANES - 1) / LANES;
      // Four vectors are two and two rather than three and one.
      size_t vectors = missing == 4 ? 2 : missing < TALL_VECTORS ? missing : TALL_VECTORS;
      if (vectors * LANES > q) vectors--;
      size_t left = j + vectors * LANES <= q ? j : q - vectors * LANES;
      double edge[LANES * LANES * TALL_VECTORS];
      int fits = top == i && left == j;
      if (!fits) memset(edge, 0, sizeof edge);
      double *target = fits ? c + i * q + j : edge;
      size_t ldt = fits ? q : LANES * TALL_VECTORS;
      switch (vectors) {
        case 1: NAME(tall_tile)(1, n, x + top, ldx, y + left, ldy, target, ldt); break;
        case 2: NAME(tall_tile)(2, n, x + top, ldx, y + left, ldy, target, ldt); break;
        default: NAME(tall_tile)(TALL_VECTORS, n, x + top, ldx, y + left, ldy, target, ldt);
      }
      for (size_t row = i; !fits && row < top + LANES; row++) {
        for (size_t column = j; column < left + vectors * LANES; column++) c[row * q + column] += edge[(row - top) * ldt + column - left];
      }
      j = left + vectors * LANES;
    }
  }
}

// MARK: x·yᵀ, with rows of both as vectors

typedef double NAME(quad) __attribute__((vector_size(32)));
typedef double NAME(unaligned_quad) __attribute__((vector_size(32), aligned(8)));

TARGET ALWAYS_INLINE NAME(quad) NAME(folded)(NAME(vector) x) {
#if LANES == 8
  return __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
#else
  return x;
#endif
}

// c[i][j] += Σ x[i]·y[j] over n elements, a multiple of LANES, of WIDE_HEIGHT rows of x and 4 of y.
TARGET static void NAME(wide_tile)(size_t n, const double *const *x, const Y *const *y, double *c, size_t ldc) {
  NAME(vector) sums[WIDE_HEIGHT][4];
  const double *rows[WIDE_HEIGHT];
  const Y *columns[4];
  UNROLLED for (int i = 0; i < WIDE_HEIGHT; i++) rows[i] = x[i];
  UNROLLED for (int j = 0; j < 4; j++) columns[j] = y[j];
  UNROLLED for (int i = 0; i < WIDE_HEIGHT; i++) {
    UNROLLED for (int j = 0; j < 4; j++) sums[i][j] = (NAME(vector)){0};
  }
  for (size_t k = 0; k < n; k += LANES) {
    NAME(vector) left[WIDE_HEIGHT];
    UNROLLED for (int i = 0; i < WIDE_HEIGHT; i++) left[i] = *(const NAME(unaligned) *)(rows[i] + k);
    UNROLLED for (int j = 0; j < 4; j++) {
      NAME(vector) right = __builtin_convertvector(*(const NAME(loaded) *)(columns[j] + k), NAME(vector));
      UNROLLED for (int i = 0; i < WIDE_HEIGHT; i++) sums[i][j] += left[i] * right;
    }
  }
  UNROLLED for (int i = 0; i < WIDE_HEIGHT; i++) {
    // The sums of the lanes of four vectors, in one.
    NAME(quad) s0 = NAME(folded)(sums[i][0]), s1 = NAME(folded)(sums[i][1]);
    NAME(quad) s2 = NAME(folded)(sums[i][2]), s3 = NAME(folded)(sums[i][3]);
    NAME(quad) pairs = __builtin_shufflevector(s0, s1, 0, 4, 2, 6) + __builtin_shufflevector(s0, s1, 1, 5, 3, 7);
    NAME(quad) others = __builtin_shufflevector(s2, s3, 0, 4, 2, 6) + __builtin_shufflevector(s2, s3, 1, 5, 3, 7);
    *(NAME(unaligned_quad) *)(c + i * ldc) +=
        __builtin_shufflevector(pairs, others, 0, 1, 4, 5) + __builtin_shufflevector(pairs, others, 2, 3, 6, 7);
  }
}

// c += x·yᵀ of a block of n columns; of a Gram matrix at least the upper half.
TARGET static void NAME(wide_block)(size_t p, size_t q, size_t n, int is_gram, const double *x, size_t ldx, const Y *y, size_t ldy,
                                    double *c) {
  size_t whole = n - n % LANES;
  for (size_t i = 0; i < p; i += WIDE_HEIGHT) {
    const double *rows[WIDE_HEIGHT];
    // Past the last row it is taken again, and the sums are left out.
    for (size_t k = 0; k < WIDE_HEIGHT; k++) rows[k] = x + (i + k < p ? i + k : p - 1) * ldx;
    for (size_t j = is_gram ? i - i % 4 : 0; j < q; j += 4) {
      const Y *columns[4];
      for (size_t k = 0; k < 4; k++) columns[k] = y + (j + k < q ? j + k : q - 1) * ldy;
      if (i + WIDE_HEIGHT <= p && j + 4 <= q) {
        NAME(wide_tile)(whole, rows, columns, c + i * q + j, q);
      } else {
        double edge[WIDE_HEIGHT * 4] = {0};
        NAME(wide_tile)(whole, rows, columns, edge, 4);
        for (size_t row = i; row < p && row < i + WIDE_HEIGHT; row++) {
          for (size_t column = j; column < q && column < j + 4; column++) c[row * q + column] += edge[(row - i) * 4 + column - j];
        }
      }
    }
  }
  for (size_t i = 0; whole < n && i < p; i++) {
    for (size_t j = is_gram ? i : 0; j < q; j++) {
      double sum = c[i * q + j];
      for (size_t k = whole; k < n; k++) sum += x[i * ldx + k] * y[j * ldy + k];
      c[i * q + j] = sum;
    }
  }
}

#undef ALWAYS_INLINE
#undef UNROLLED
