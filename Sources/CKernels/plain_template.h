// The plain kernels for one type: REAL, its suffix through NAME, and the functions of the C library for it.

void NAME(rms_norm)(const REAL *x, const REAL *gain, REAL epsilon, size_t rows, size_t n, REAL *y, REAL *inverse) {
  for (size_t i = 0; i < rows; i++) {
    REAL sum = 0;
    for (size_t j = 0; j < n; j++) sum += x[i * n + j] * x[i * n + j];
    inverse[i] = 1 / SQRT(sum / (REAL)n + epsilon);
    for (size_t j = 0; j < n; j++) y[i * n + j] = gain[j] * (x[i * n + j] * inverse[i]);
  }
}

void NAME(rms_norm_gradient)(const REAL *dy, const REAL *x, const REAL *gain, const REAL *inverse, size_t rows, size_t n, REAL *dx,
                             REAL *dgain) {
  for (size_t i = 0; i < rows; i++) {
    const REAL *xi = x + i * n, *dyi = dy + i * n;
    REAL r = inverse[i], dot = 0;
    for (size_t j = 0; j < n; j++) dot += dyi[j] * gain[j] * xi[j];
    for (size_t j = 0; j < n; j++) {
      dx[i * n + j] += dyi[j] * gain[j] * r - xi[j] * dot * r * r * r / (REAL)n;
      if (dgain) dgain[j] += dyi[j] * xi[j] * r;
    }
  }
}

void NAME(swiglu)(const REAL *gate_up, size_t rows, size_t n, REAL *y) {
  for (size_t i = 0; i < rows; i++) {
    const REAL *gate = gate_up + 2 * i * n, *up = gate + n;
    for (size_t j = 0; j < n; j++) y[i * n + j] = gate[j] / (1 + EXP(-gate[j])) * up[j];
  }
}

void NAME(swiglu_gradient)(const REAL *gate_up, const REAL *dy, size_t rows, size_t n, REAL *dgate_up) {
  for (size_t i = 0; i < rows; i++) {
    const REAL *gate = gate_up + 2 * i * n, *up = gate + n;
    for (size_t j = 0; j < n; j++) {
      REAL d = dy[i * n + j], s = 1 / (1 + EXP(-gate[j]));
      dgate_up[2 * i * n + j] = d * up[j] * s * (1 + gate[j] * (1 - s));
      dgate_up[2 * i * n + n + j] = d * gate[j] * s;
    }
  }
}

void NAME(rotate)(REAL *x, size_t stride, size_t rows, size_t heads, size_t size, const int32_t *positions, const REAL *cosines,
                  const REAL *sines, REAL direction) {
  size_t half = size / 2;
  for (size_t i = 0; i < rows; i++) {
    for (size_t h = 0; h < heads; h++) {
      REAL *a = x + i * stride + h * size, *b = a + half;
      for (size_t j = 0; j < half; j++) {
        REAL u = a[j], w = b[j];
        REAL cosine = cosines[(size_t)positions[i] * half + j], sine = sines[(size_t)positions[i] * half + j] * direction;
        a[j] = u * cosine - w * sine;
        b[j] = w * cosine + u * sine;
      }
    }
  }
}

void NAME(add_bias)(REAL *y, const REAL *bias, size_t rows, size_t n) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < n; j++) y[i * n + j] += bias[j];
  }
}

void NAME(column_sums)(const REAL *x, size_t rows, size_t n, REAL *sums) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < n; j++) sums[j] += x[i * n + j];
  }
}

// The row of the key or value that is number j to a query: of the prefix, then its own.
static inline size_t NAME(key_row)(attention_segment s, size_t j) {
  size_t prefix = (size_t)s.prefix_count;
  return j < prefix ? (size_t)s.prefix + j : (size_t)s.own + j - prefix;
}

void NAME(attention)(const REAL *q, size_t q_stride, const REAL *k, const REAL *v, size_t kv_stride, REAL *y, size_t y_stride,
                     size_t heads, size_t kv_heads, size_t size, REAL scale, const attention_segment *segments, size_t count,
                     REAL *probabilities, size_t probability_stride, size_t capacity) {
  for (size_t n = 0; n < count; n++) {
    attention_segment s = segments[n];
    for (size_t i = 0; i < (size_t)s.queries; i++) {
      size_t row = (size_t)s.query + i, keys = (size_t)(s.prefix_count + s.own_offset) + i + 1;
      for (size_t h = 0; h < heads; h++) {
        const REAL *qi = q + row * q_stride + h * size;
        REAL *p = probabilities + row * probability_stride + h * capacity, *yi = y + row * y_stride + h * size;
        size_t head = h / (heads / kv_heads) * size;
        REAL largest = -INFINITY, sum = 0;
        for (size_t j = 0; j < keys; j++) {
          const REAL *key = k + NAME(key_row)(s, j) * kv_stride + head;
          p[j] = 0;
          for (size_t d = 0; d < size; d++) p[j] += qi[d] * key[d];
          p[j] *= scale;
          largest = p[j] > largest ? p[j] : largest;
        }
        for (size_t j = 0; j < keys; j++) sum += p[j] = EXP(p[j] - largest);
        for (size_t d = 0; d < size; d++) yi[d] = 0;
        for (size_t j = 0; j < keys; j++) {
          const REAL *value = v + NAME(key_row)(s, j) * kv_stride + head;
          p[j] /= sum;
          for (size_t d = 0; d < size; d++) yi[d] += p[j] * value[d];
        }
      }
    }
  }
}

void NAME(attention_gradient)(const REAL *q, size_t q_stride, const REAL *k, const REAL *v, size_t kv_stride, const REAL *dy,
                              size_t y_stride, size_t heads, size_t kv_heads, size_t size, REAL scale,
                              const attention_segment *segments, size_t count, const REAL *probabilities, size_t probability_stride,
                              size_t capacity, REAL *dq, REAL *dk, REAL *dv, REAL *scratch) {
  for (size_t n = 0; n < count; n++) {
    attention_segment s = segments[n];
    for (size_t i = 0; i < (size_t)s.queries; i++) {
      size_t row = (size_t)s.query + i, keys = (size_t)(s.prefix_count + s.own_offset) + i + 1;
      for (size_t h = 0; h < heads; h++) {
        const REAL *qi = q + row * q_stride + h * size, *dyi = dy + row * y_stride + h * size;
        const REAL *p = probabilities + row * probability_stride + h * capacity;
        REAL *dqi = dq + row * q_stride + h * size, *dp = scratch, sum = 0;
        size_t head = h / (heads / kv_heads) * size;
        for (size_t j = 0; j < keys; j++) {
          const REAL *value = v + NAME(key_row)(s, j) * kv_stride + head;
          dp[j] = 0;
          for (size_t d = 0; d < size; d++) dp[j] += dyi[d] * value[d];
          sum += p[j] * dp[j];
        }
        for (size_t j = 0; j < keys; j++) {
          size_t at = NAME(key_row)(s, j) * kv_stride + head;
          REAL ds = p[j] * (dp[j] - sum) * scale;
          for (size_t d = 0; d < size; d++) {
            dqi[d] += ds * k[at + d];
            dk[at + d] += ds * qi[d];
            dv[at + d] += p[j] * dyi[d];
          }
        }
      }
    }
  }
}

void NAME(log_sum_exp)(const REAL *x, size_t rows, size_t n, REAL *sums, REAL *entropies) {
  for (size_t i = 0; i < rows; i++) {
    const REAL *xi = x + i * n;
    REAL largest = xi[0], sum = 0, weighted = 0;
    for (size_t j = 1; j < n; j++) largest = xi[j] > largest ? xi[j] : largest;
    for (size_t j = 0; j < n; j++) {
      REAL e = EXP(xi[j] - largest);
      sum += e;
      weighted += e * (xi[j] - largest);
    }
    sums[i] = largest + LOG(sum);
    if (entropies) entropies[i] = LOG(sum) - weighted / sum;
  }
}

void NAME(weighted_softmax)(REAL *x, size_t rows, size_t n, const REAL *sums, const REAL *weights) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < n; j++) x[i * n + j] = weights[i] * EXP(x[i * n + j] - sums[i]);
  }
}

void NAME(draw)(const REAL *x, size_t rows, size_t n, const REAL *normalisers, const double *uniforms, int32_t *indices,
                REAL *log_probabilities) {
  for (size_t i = 0; i < rows; i++) {
    const REAL *xi = x + i * n;
    REAL largest = xi[0];
    for (size_t j = 1; j < n; j++) largest = xi[j] > largest ? xi[j] : largest;
    double total = 0, sum = 0;
    for (size_t j = 0; j < n; j++) total += (double)EXP(xi[j] - largest);
    size_t drawn = 0;
    for (size_t j = 0; j < n && sum <= uniforms[i] * total; j++) {
      REAL weight = EXP(xi[j] - largest);
      if (weight > 0) drawn = j;
      sum += (double)weight;
    }
    indices[i] = (int32_t)drawn;
    log_probabilities[i] = xi[drawn] - normalisers[i];
  }
}

void NAME(draw_largest)(const REAL *x, size_t rows, size_t n, const REAL *normalisers, int32_t *indices, REAL *log_probabilities) {
  for (size_t i = 0; i < rows; i++) {
    const REAL *xi = x + i * n;
    size_t largest = 0;
    for (size_t j = 1; j < n; j++) largest = xi[j] > xi[largest] ? j : largest;
    indices[i] = (int32_t)largest;
    log_probabilities[i] = xi[largest] - normalisers[i];
  }
}

void NAME(adamw)(REAL *parameters, const REAL *gradient, REAL *first, REAL *second, size_t n, REAL decay, REAL beta1, REAL beta2,
                 REAL step_size, REAL root_correction, REAL epsilon) {
  for (size_t i = 0; i < n; i++) {
    REAL g = gradient[i];
    first[i] += (1 - beta1) * (g - first[i]);
    second[i] = second[i] * beta2 + (1 - beta2) * g * g;
    parameters[i] = parameters[i] * decay - step_size * first[i] / (SQRT(second[i]) / root_correction + epsilon);
  }
}

void NAME(accumulate)(const REAL *x, size_t n, REAL *y) {
  for (size_t i = 0; i < n; i++) y[i] += x[i];
}

void NAME(row_norms)(const REAL *x, size_t rows, size_t n, REAL *norms) {
  for (size_t i = 0; i < rows; i++) {
    REAL sum = 0;
    for (size_t j = 0; j < n; j++) sum += x[i * n + j] * x[i * n + j];
    norms[i] = SQRT(sum);
  }
}

void NAME(scale_rows)(const REAL *x, const REAL *factors, size_t rows, size_t n, REAL *y) {
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < n; j++) y[i * n + j] = factors[i] * x[i * n + j];
  }
}

void NAME(row_dots)(const REAL *x, const REAL *y, size_t rows, size_t n, REAL *dots) {
  for (size_t i = 0; i < rows; i++) {
    dots[i] = 0;
    for (size_t j = 0; j < n; j++) dots[i] += x[i * n + j] * y[i * n + j];
  }
}
