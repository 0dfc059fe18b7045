// Included once per type and width of vectors, with
//   TARGET   the attribute that permits the instructions,
//   NAME(x)  the name of this version of x,
//   REAL     the type, and LANES how many of it are in a vector; a panel is two vectors wide,
//   HEIGHT   the rows of a tile, whose sums stay in 2 × HEIGHT registers.

typedef REAL NAME(vector) __attribute__((vector_size(sizeof(REAL) * LANES)));
typedef REAL NAME(unaligned) __attribute__((vector_size(sizeof(REAL) * LANES), aligned(sizeof(REAL)), may_alias));

// `height` rows of x, a constant where this is inlined, with one panel.
TARGET ALWAYS_INLINE void NAME(tile)(const size_t height, const REAL *x, size_t ldx, const REAL *panel, size_t k, REAL alpha, int adds,
                                     REAL *y, size_t ldy) {
  NAME(vector) sums[HEIGHT][2];
  UNROLLED for (size_t i = 0; i < height; i++) sums[i][0] = sums[i][1] = (NAME(vector)){0};
  for (size_t j = 0; j < k; j++, panel += 2 * LANES) {
    NAME(vector) left = *(const NAME(unaligned) *)panel, right = *(const NAME(unaligned) *)(panel + LANES);
    UNROLLED for (size_t i = 0; i < height; i++) {
      sums[i][0] += x[i * ldx + j] * left;
      sums[i][1] += x[i * ldx + j] * right;
    }
  }
  UNROLLED for (size_t i = 0; i < height; i++) {
    UNROLLED for (size_t v = 0; v < 2; v++) {
      NAME(unaligned) *out = (NAME(unaligned) *)(y + i * ldy + v * LANES);
      *out = adds ? *out + alpha * sums[i][v] : alpha * sums[i][v];
    }
  }
}

// The same, where only some columns of the panel are there.
TARGET ALWAYS_INLINE void NAME(edge_tile)(const size_t height, size_t columns, const REAL *x, size_t ldx, const REAL *panel, size_t k,
                                          REAL alpha, int adds, REAL *y, size_t ldy) {
  REAL edge[HEIGHT * 2 * LANES];
  NAME(tile)(height, x, ldx, panel, k, alpha, 0, edge, 2 * LANES);
  for (size_t i = 0; i < height; i++) {
    for (size_t j = 0; j < columns; j++) y[i * ldy + j] = edge[i * 2 * LANES + j] + (adds ? y[i * ldy + j] : 0);
  }
}

TARGET static void NAME(packed_product)(const REAL *x, size_t ldx, size_t m, const REAL *panels, size_t n, size_t k, REAL alpha, int adds,
                                        REAL *y, size_t ldy) {
#define ROWS(COUNT)                                                                                                        \
  for (; i + COUNT <= last; i += COUNT) {                                                                                  \
    if (columns == 2 * LANES) {                                                                                            \
      NAME(tile)(COUNT, x + i * ldx, ldx, panel, k, alpha, adds, y + i * ldy + first, ldy);                                \
    } else {                                                                                                               \
      NAME(edge_tile)(COUNT, columns, x + i * ldx, ldx, panel, k, alpha, adds, y + i * ldy + first, ldy);                  \
    }                                                                                                                      \
  }
  // As many rows as stay in a near cache while the panels pass by.
  for (size_t top = 0; top < m; top += 64) {
    size_t last = m - top < 64 ? m : top + 64;
    for (size_t first = 0; first < n; first += 2 * LANES) {
      const REAL *panel = panels + first * k;
      size_t columns = n - first < 2 * LANES ? n - first : 2 * LANES, i = top;
      ROWS(HEIGHT)
      ROWS(4)
      ROWS(1)
    }
  }
#undef ROWS
}
