// The kernels of `transformer.h` for one type: REAL, its suffix through NAME, its exponential EXP.
//
// Sums may be reassociated, which is what lets them use vectors; their order is fixed when the code is compiled, so the same
// kernel set gives the same sum every time.
#define SUMS _Pragma("clang fp reassociate(on) contract(fast)")
#define LOCAL static inline __attribute__((always_inline))

WIDEST void NAME(rms_norm)(const REAL *restrict x, const REAL *restrict gain, REAL epsilon, size_t rows, size_t n,
                           REAL *restrict y, REAL *restrict inverse) {
  SUMS
  for (size_t i = 0; i < rows; i++) {
    const REAL *xi = x + i * n;
    REAL *yi = y + i * n;
    REAL sum = 0;
    for (size_t j = 0; j < n; j++) sum += xi[j] * xi[j];
    REAL r = 1 / SQRT(sum / (REAL)n + epsilon);
    inverse[i] = r;
    for (size_t j = 0; j < n; j++) yi[j] = gain[j] * (xi[j] * r);
  }
}

WIDEST void NAME(rms_norm_gradient)(const REAL *restrict dy, const REAL *restrict x, const REAL *restrict gain,
                                    const REAL *restrict inverse, size_t rows, size_t n, REAL *restrict dx,
                                    REAL *restrict dgain) {
  SUMS
  for (size_t i = 0; i < rows; i++) {
    const REAL *xi = x + i * n, *dyi = dy + i * n;
    REAL *dxi = dx + i * n, r = inverse[i], dot = 0;
    for (size_t j = 0; j < n; j++) dot += dyi[j] * gain[j] * xi[j];
    REAL shrink = dot * r * r * r / (REAL)n;
    for (size_t j = 0; j < n; j++) dxi[j] += dyi[j] * gain[j] * r - xi[j] * shrink;
    if (dgain) {
      for (size_t j = 0; j < n; j++) dgain[j] += dyi[j] * xi[j] * r;
    }
  }
}

WIDEST void NAME(swiglu)(const REAL *restrict gate_up, size_t rows, size_t n, REAL *restrict y) {
  for (size_t i = 0; i < rows; i++) {
    const REAL *gate = gate_up + 2 * i * n, *up = gate + n;
    REAL *yi = y + i * n;
    for (size_t j = 0; j < n; j++) yi[j] = gate[j] / (1 + EXP(-gate[j])) * up[j];
  }
}

WIDEST void NAME(swiglu_gradient)(const REAL *restrict gate_up, const REAL *restrict dy, size_t rows, size_t n,
                                  REAL *restrict dgate_up) {
  for (size_t i = 0; i < rows; i++) {
    const REAL *gate = gate_up + 2 * i * n, *up = gate + n, *dyi = dy + i * n;
    REAL *dgate = dgate_up + 2 * i * n, *dup = dgate + n;
    for (size_t j = 0; j < n; j++) {
      REAL s = 1 / (1 + EXP(-gate[j]));
      dup[j] = dyi[j] * gate[j] * s;
      dgate[j] = dyi[j] * up[j] * s * (1 + gate[j] * (1 - s));
    }
  }
}

WIDEST void NAME(rotate)(REAL *restrict x, size_t stride, size_t rows, size_t heads, size_t size,
                         const int32_t *restrict positions, const REAL *restrict cosines, const REAL *restrict sines,
                         REAL direction) {
  size_t half = size / 2;
  for (size_t i = 0; i < rows; i++) {
    const REAL *c = cosines + (size_t)positions[i] * half, *s = sines + (size_t)positions[i] * half;
    for (size_t h = 0; h < heads; h++) {
      REAL *a = x + i * stride + h * size, *b = a + half;
      for (size_t j = 0; j < half; j++) {
        REAL u = a[j], w = b[j], t = s[j] * direction;
        a[j] = u * c[j] - w * t;
        b[j] = w * c[j] + u * t;
      }
    }
  }
}

WIDEST void NAME(add_bias)(REAL *restrict y, const REAL *restrict bias, size_t rows, size_t n) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < n; j++) y[i * n + j] += bias[j];
  }
}

WIDEST void NAME(column_sums)(const REAL *restrict x, size_t rows, size_t n, REAL *restrict sums) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < n; j++) sums[j] += x[i * n + j];
  }
}

// Eight numbers that may stand anywhere in memory.
typedef REAL NAME(lanes) __attribute__((vector_size(8 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

// x · y, in whole vectors as far as n has any. With an n that the compiler knows this is a handful of instructions.
LOCAL REAL NAME(dot)(const REAL *restrict x, const REAL *restrict y, const size_t n) {
  SUMS
  NAME(lanes) sums = {0};
  size_t whole = n / 8 * 8;
  for (size_t j = 0; j < whole; j += 8) sums += *(const NAME(lanes) *)(x + j) * *(const NAME(lanes) *)(y + j);
  sums += __builtin_shufflevector(sums, sums, 4, 5, 6, 7, 0, 1, 2, 3);
  sums += __builtin_shufflevector(sums, sums, 2, 3, 0, 1, 6, 7, 4, 5);
  REAL sum = sums[0] + sums[1];
  for (size_t j = whole; j < n; j++) sum += x[j] * y[j];
  return sum;
}

// The products of x with a row for each of `count` keys: first those of a prefix, then the others.
//
// Eight at a time, whose lanes are added up together: level by level in the order in which `dot` adds them, so that each product is
// the same, with half of the instructions. Places behind the last key repeat it; there is room up to the next multiple of 8.
LOCAL void NAME(dots)(const REAL *restrict x, const REAL *restrict prefix_rows, const REAL *restrict own_rows,
                      size_t stride, size_t prefix, size_t count, const size_t n, REAL *restrict products) {
  SUMS
  if (n % 8 != 0) {
    for (size_t j = 0; j < count; j++) {
      products[j] = NAME(dot)(x, j < prefix ? prefix_rows + j * stride : own_rows + (j - prefix) * stride, n);
    }
    for (size_t j = count; j % 8 != 0; j++) products[j] = products[count - 1];
    return;
  }
  for (size_t first = 0; first < count; first += 8) {
    NAME(lanes) s[8];
    // All eight in registers, so that none waits for another.
    _Pragma("clang loop unroll(full)") for (size_t i = 0; i < 8; i++) {
      size_t j = first + i < count ? first + i : count - 1;
      const REAL *row = j < prefix ? prefix_rows + j * stride : own_rows + (j - prefix) * stride;
      s[i] = (NAME(lanes)){0};
      for (size_t b = 0; b < n; b += 8) s[i] += *(const NAME(lanes) *)(x + b) * *(const NAME(lanes) *)(row + b);
    }
    NAME(lanes) t[4], u[2];
    for (size_t i = 0; i < 4; i++) {
      t[i] = __builtin_shufflevector(s[2 * i], s[2 * i + 1], 0, 1, 2, 3, 8, 9, 10, 11) +
             __builtin_shufflevector(s[2 * i], s[2 * i + 1], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (size_t i = 0; i < 2; i++) {
      u[i] = __builtin_shufflevector(t[2 * i], t[2 * i + 1], 0, 1, 4, 5, 8, 9, 12, 13) +
             __builtin_shufflevector(t[2 * i], t[2 * i + 1], 2, 3, 6, 7, 10, 11, 14, 15);
    }
    *(NAME(lanes) *)(products + first) = __builtin_shufflevector(u[0], u[1], 0, 2, 4, 6, 8, 10, 12, 14) +
                                         __builtin_shufflevector(u[0], u[1], 1, 3, 5, 7, 9, 11, 13, 15);
  }
}

LOCAL void NAME(add_scaled)(REAL a, const REAL *restrict x, REAL *restrict y, const size_t n) {
#pragma clang fp contract(fast)
  size_t whole = n / 8 * 8;
  for (size_t j = 0; j < whole; j += 8) *(NAME(lanes) *)(y + j) += a * *(const NAME(lanes) *)(x + j);
  for (size_t j = whole; j < n; j++) y[j] += a * x[j];
}

// y += sum over `count` rows of weight · row. Sizes of whole vectors are summed in registers, of which there are enough for 64.
LOCAL void NAME(add_weighted_rows)(const REAL *restrict weights, const REAL *restrict rows, size_t stride, size_t count,
                                   REAL *restrict y, const size_t size) {
#pragma clang fp contract(fast)
  if (size % 8 != 0 || size > 64) {
    for (size_t j = 0; j < count; j++) NAME(add_scaled)(weights[j], rows + j * stride, y, size);
    return;
  }
  NAME(lanes) sums[8];
  for (size_t b = 0; b < size / 8; b++) sums[b] = *(NAME(lanes) *)(y + 8 * b);
  for (size_t j = 0; j < count; j++) {
    for (size_t b = 0; b < size / 8; b++) sums[b] += weights[j] * *(const NAME(lanes) *)(rows + j * stride + 8 * b);
  }
  for (size_t b = 0; b < size / 8; b++) *(NAME(lanes) *)(y + 8 * b) = sums[b];
}

// The softmax of `count` scores in place. There is room up to the next multiple of 8, where the last score is repeated: a few keys are
// the rule, and a vector of them takes no longer than one.
LOCAL void NAME(softmax)(REAL *restrict p, size_t count) {
  SUMS
  size_t padded = (count + 7) / 8 * 8;
  NAME(lanes) most = *(const NAME(lanes) *)p;
  for (size_t block = 8; block < padded; block += 8) {
    most = __builtin_elementwise_max(most, *(const NAME(lanes) *)(p + block));
  }
  REAL largest = __builtin_reduce_max(most), sum = 0;
  for (size_t block = 0; block < padded; block += 8) {
    for (size_t j = 0; j < 8; j++) p[block + j] = EXP(p[block + j] - largest);
  }
  for (size_t j = 0; j < count; j++) sum += p[j];
  REAL r = 1 / sum;
  for (size_t block = 0; block < padded; block += 8) {
    for (size_t j = 0; j < 8; j++) p[block + j] *= r;
  }
}

// One head of one query: where it reads and writes.
typedef struct {
  const REAL *q, *prefix_k, *own_k, *prefix_v, *own_v;
  REAL *y, *p;
  size_t prefix, own;
} NAME(head);

LOCAL NAME(head) NAME(head_at)(const REAL *q, size_t q_stride, const REAL *k, const REAL *v, size_t kv_stride, REAL *y,
                               size_t y_stride, size_t shared, const size_t size, attention_segment s, size_t i,
                               size_t h, REAL *probabilities, size_t probability_stride, size_t capacity) {
  size_t row = (size_t)s.query + i, of_prefix = (size_t)s.prefix * kv_stride + h / shared * size;
  size_t of_own = (size_t)s.own * kv_stride + h / shared * size;
  return (NAME(head)){
      .q = q + row * q_stride + h * size,
      .prefix_k = k + of_prefix,
      .own_k = k + of_own,
      .prefix_v = v + of_prefix,
      .own_v = v + of_own,
      .y = y + row * y_stride + h * size,
      .p = probabilities + row * probability_stride + h * capacity,
      .prefix = (size_t)s.prefix_count,
      .own = (size_t)s.own_offset + i + 1,
  };
}

// The heads of some segments, in three rounds: scores, softmax, sums of values. Within a head each waits for the one before, and a head
// alone is a few hundred instructions of waiting; within a round all are independent.
LOCAL void NAME(attention_of)(const REAL *q, size_t q_stride, const REAL *k, const REAL *v, size_t kv_stride, REAL *y,
                              size_t y_stride, size_t heads, size_t kv_heads, const size_t size, REAL scale,
                              const attention_segment *segments, size_t count, REAL *probabilities,
                              size_t probability_stride, size_t capacity) {
#define FOR_EACH_HEAD                                                                                               \
  for (size_t n = 0; n < count; n++)                                                                                \
    for (size_t i = 0; i < (size_t)segments[n].queries; i++)                                                        \
      for (size_t h = 0; h < heads; h++)
#define HEAD                                                                                                        \
  NAME(head) at = NAME(head_at)(q, q_stride, k, v, kv_stride, y, y_stride, heads / kv_heads, size, segments[n], i, h, \
                                probabilities, probability_stride, capacity)
  FOR_EACH_HEAD {
    HEAD;
    NAME(dots)(at.q, at.prefix_k, at.own_k, kv_stride, at.prefix, at.prefix + at.own, size, at.p);
    for (size_t j = 0; j < (at.prefix + at.own + 7) / 8 * 8; j++) at.p[j] *= scale;
  }
  FOR_EACH_HEAD {
    HEAD;
    NAME(softmax)(at.p, at.prefix + at.own);
  }
  FOR_EACH_HEAD {
    HEAD;
    for (size_t d = 0; d < size; d++) at.y[d] = 0;
    NAME(add_weighted_rows)(at.p, at.prefix_v, kv_stride, at.prefix, at.y, size);
    NAME(add_weighted_rows)(at.p + at.prefix, at.own_v, kv_stride, at.own, at.y, size);
  }
#undef HEAD
#undef FOR_EACH_HEAD
}

// The gradients of one query and of `count` keys and values, from the gradient ds of their scores.
LOCAL void NAME(attention_gradient_at)(const REAL *restrict qi, const REAL *restrict dyi, const REAL *restrict p,
                                       const REAL *restrict ds, const REAL *restrict k, size_t kv_stride, size_t count,
                                       const size_t size, REAL *restrict dqi, REAL *restrict dk, REAL *restrict dv) {
  NAME(add_weighted_rows)(ds, k, kv_stride, count, dqi, size);
  for (size_t j = 0; j < count; j++) {
    NAME(add_scaled)(ds[j], qi, dk + j * kv_stride, size);
    NAME(add_scaled)(p[j], dyi, dv + j * kv_stride, size);
  }
}

LOCAL void NAME(attention_gradient_of)(const REAL *restrict q, size_t q_stride, const REAL *restrict k,
                                       const REAL *restrict v, size_t kv_stride, const REAL *restrict dy,
                                       size_t y_stride, size_t heads, size_t kv_heads, const size_t size, REAL scale,
                                       attention_segment s, const REAL *restrict probabilities,
                                       size_t probability_stride, size_t capacity, REAL *restrict dq,
                                       REAL *restrict dk, REAL *restrict dv, REAL *restrict dp) {
  SUMS
  size_t shared = heads / kv_heads, prefix = (size_t)s.prefix_count;
  for (size_t h = 0; h < heads; h++) {
    size_t of_prefix = (size_t)s.prefix * kv_stride + h / shared * size;
    size_t of_own = (size_t)s.own * kv_stride + h / shared * size;
    for (size_t i = 0; i < (size_t)s.queries; i++) {
      size_t row = (size_t)s.query + i, own = (size_t)s.own_offset + i + 1;
      const REAL *qi = q + row * q_stride + h * size, *dyi = dy + row * y_stride + h * size;
      const REAL *p = probabilities + row * probability_stride + h * capacity;
      REAL *dqi = dq + row * q_stride + h * size, sum = 0;
      NAME(dots)(dyi, v + of_prefix, v + of_own, kv_stride, prefix, prefix + own, size, dp);
      for (size_t j = 0; j < prefix + own; j++) sum += p[j] * dp[j];
      // The softmax's gradient: ds = p (dp - sum of p dp).
      for (size_t j = 0; j < prefix + own; j++) dp[j] = p[j] * (dp[j] - sum) * scale;
      NAME(attention_gradient_at)(qi, dyi, p, dp, k + of_prefix, kv_stride, prefix, size, dqi, dk + of_prefix,
                                  dv + of_prefix);
      NAME(attention_gradient_at)(qi, dyi, p + prefix, dp + prefix, k + of_own, kv_stride, own, size, dqi,
                                  dk + of_own, dv + of_own);
    }
  }
}

// A head size that the compiler knows lets a whole head live in registers.
#define FOR_HEAD_SIZE(CALL) \
  switch (size) {           \
    case 8: CALL(8);        \
    case 16: CALL(16);      \
    case 32: CALL(32);      \
    case 64: CALL(64);      \
    default: CALL(size);    \
  }

WIDEST void NAME(attention)(const REAL *q, size_t q_stride, const REAL *k, const REAL *v, size_t kv_stride, REAL *y,
                            size_t y_stride, size_t heads, size_t kv_heads, size_t size, REAL scale,
                            const attention_segment *segments, size_t count, REAL *probabilities,
                            size_t probability_stride, size_t capacity) {
  // As many at once as leave their probabilities in the nearest cache.
#define FORWARD(SIZE)                                                                                             \
  for (size_t i = 0; i < count; i += 16)                                                                          \
    NAME(attention_of)(q, q_stride, k, v, kv_stride, y, y_stride, heads, kv_heads, SIZE, scale, segments + i,     \
                       count - i < 16 ? count - i : 16, probabilities, probability_stride, capacity);             \
  break
  FOR_HEAD_SIZE(FORWARD)
#undef FORWARD
}

WIDEST void NAME(attention_gradient)(const REAL *q, size_t q_stride, const REAL *k, const REAL *v, size_t kv_stride,
                                     const REAL *dy, size_t y_stride, size_t heads, size_t kv_heads, size_t size,
                                     REAL scale, const attention_segment *segments, size_t count,
                                     const REAL *probabilities, size_t probability_stride, size_t capacity, REAL *dq,
                                     REAL *dk, REAL *dv, REAL *scratch) {
#define BACKWARD(SIZE)                                                                                            \
  for (size_t i = 0; i < count; i++)                                                                              \
    NAME(attention_gradient_of)(q, q_stride, k, v, kv_stride, dy, y_stride, heads, kv_heads, SIZE, scale,         \
                                segments[i], probabilities, probability_stride, capacity, dq, dk, dv, scratch);   \
  break
  FOR_HEAD_SIZE(BACKWARD)
#undef BACKWARD
}
#undef FOR_HEAD_SIZE

WIDEST void NAME(log_sum_exp)(const REAL *restrict x, size_t rows, size_t n, REAL *restrict sums,
                              REAL *restrict entropies) {
  SUMS
  for (size_t i = 0; i < rows; i++) {
    const REAL *xi = x + i * n;
    REAL largest = xi[0], sum = 0, weighted = 0;
    for (size_t j = 1; j < n; j++) largest = xi[j] > largest ? xi[j] : largest;
    for (size_t j = 0; j < n; j++) {
      REAL e = EXP(xi[j] - largest);
      sum += e;
      weighted += e * (xi[j] - largest);
    }
    REAL logarithm = LOG(sum);
    sums[i] = largest + logarithm;
    if (entropies) entropies[i] = logarithm - weighted / sum;
  }
}

WIDEST void NAME(weighted_softmax)(REAL *restrict x, size_t rows, size_t n, const REAL *restrict sums,
                                   const REAL *restrict weights) {
  for (size_t i = 0; i < rows; i++) {
    REAL *xi = x + i * n, sum = sums[i], weight = weights[i];
    for (size_t j = 0; j < n; j++) xi[j] = weight * EXP(xi[j] - sum);
  }
}

WIDEST void NAME(draw)(const REAL *x, size_t rows, size_t n, const REAL *normalisers, const double *uniforms,
                       int32_t *indices, REAL *log_probabilities) {
  enum { block = 64 };
  REAL weights[block];
  for (size_t i = 0; i < rows; i++) {
    const REAL *xi = x + i * n;
    REAL largest = xi[0];
    for (size_t j = 1; j < n; j++) largest = xi[j] > largest ? xi[j] : largest;
    double total = 0, sum = 0;
    for (size_t first = 0; first < n; first += block) {
      size_t count = n - first < block ? n - first : block;
      for (size_t j = 0; j < count; j++) weights[j] = EXP(xi[first + j] - largest);
      for (size_t j = 0; j < count; j++) total += (double)weights[j];
    }
    double threshold = uniforms[i] * total;
    size_t drawn = 0;
    // Rounding may leave the sum below the threshold at the end: then the last index of any weight is the one.
    for (size_t first = 0; first < n && sum <= threshold; first += block) {
      size_t count = n - first < block ? n - first : block;
      if (n > block) {
        for (size_t j = 0; j < count; j++) weights[j] = EXP(xi[first + j] - largest);
      }
      for (size_t j = 0; j < count && sum <= threshold; j++) {
        if (weights[j] > 0) drawn = first + j;
        sum += (double)weights[j];
      }
    }
    indices[i] = (int32_t)drawn;
    log_probabilities[i] = xi[drawn] - normalisers[i];
  }
}

void NAME(draw_largest)(const REAL *x, size_t rows, size_t n, const REAL *normalisers, int32_t *indices,
                        REAL *log_probabilities) {
  for (size_t i = 0; i < rows; i++) {
    const REAL *xi = x + i * n;
    size_t largest = 0;
    for (size_t j = 1; j < n; j++) largest = xi[j] > xi[largest] ? j : largest;
    indices[i] = (int32_t)largest;
    log_probabilities[i] = xi[largest] - normalisers[i];
  }
}

WIDEST void NAME(adamw)(REAL *restrict parameters, const REAL *restrict gradient, REAL *restrict first,
                        REAL *restrict second, size_t n, REAL decay, REAL beta1, REAL beta2, REAL step_size,
                        REAL root_correction, REAL epsilon) {
  for (size_t i = 0; i < n; i++) {
    REAL g = gradient[i], p = parameters[i] * decay;
    REAL m = first[i] + (1 - beta1) * (g - first[i]);
    REAL v = second[i] * beta2 + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    parameters[i] = p - step_size * m / (SQRT(v) / root_correction + epsilon);
  }
}

WIDEST void NAME(accumulate)(const REAL *restrict x, size_t n, REAL *restrict y) {
  for (size_t i = 0; i < n; i++) y[i] += x[i];
}

WIDEST void NAME(row_norms)(const REAL *restrict x, size_t rows, size_t n, REAL *restrict norms) {
  for (size_t i = 0; i < rows; i++) norms[i] = SQRT(NAME(dot)(x + i * n, x + i * n, n));
}

WIDEST void NAME(scale_rows)(const REAL *x, const REAL *factors, size_t rows, size_t n, REAL *y) {
  for (size_t i = 0; i < rows; i++) {
    REAL factor = factors[i];
    for (size_t j = 0; j < n; j++) y[i * n + j] = factor * x[i * n + j];
  }
}

WIDEST void NAME(row_dots)(const REAL *restrict x, const REAL *restrict y, size_t rows, size_t n,
                           REAL *restrict dots) {
  for (size_t i = 0; i < rows; i++) dots[i] = NAME(dot)(x + i * n, y + i * n, n);
}

#undef SUMS
#undef LOCAL
