#pragma once
#include <stddef.h>
#include <stdint.h>

/// Queries that attend to the keys of a shared prefix and, causally, to keys of their own: a prompt, a completion behind its
/// prompt, or the newest token of one. All are row numbers.
typedef struct {
  /// The first query, and how many follow it.
  ptrdiff_t query, queries;
  /// The first key of the prefix, all of whose keys every query sees.
  ptrdiff_t prefix, prefix_count;
  /// The first own key; query i sees own keys 0 … own_offset + i.
  ptrdiff_t own, own_offset;
} attention_segment;

/// The kernels of a transformer, for float and double. Arrays are row-major and do not overlap unless said; `dx`, `dgain` and the like are
/// gradients, and those marked (+) are added to.
#define TRANSFORMER_KERNELS(REAL, SUFFIX)                                                                                       \
  /** y = gain · x / sqrt(mean(x²) + epsilon) for each of `rows` rows of n; `inverse` keeps 1/sqrt(…) of each. */               \
  void rms_norm_##SUFFIX(const REAL *x, const REAL *gain, REAL epsilon, size_t rows, size_t n, REAL *y, REAL *inverse);         \
  /** dx (+), and dgain (+) unless it is null. */                                                                               \
  void rms_norm_gradient_##SUFFIX(const REAL *dy, const REAL *x, const REAL *gain, const REAL *inverse, size_t rows, size_t n,  \
                                  REAL *dx, REAL *dgain);                                                                       \
  /** y = silu(gate) · up for rows of n; a row of `gate_up` holds n gates, then n ups. */                                       \
  void swiglu_##SUFFIX(const REAL *gate_up, size_t rows, size_t n, REAL *y);                                                    \
  void swiglu_gradient_##SUFFIX(const REAL *gate_up, const REAL *dy, size_t rows, size_t n, REAL *dgate_up);                    \
  /** Turns every pair (i, i + size/2) of each head by its position's angle, backwards for direction −1. A row of x begins      \
   every `stride` elements; the tables hold size/2 cosines and sines a position. */                                             \
  void rotate_##SUFFIX(REAL *x, size_t stride, size_t rows, size_t heads, size_t size, const int32_t *positions,                \
                       const REAL *cosines, const REAL *sines, REAL direction);                                                 \
  /** y += bias in each of `rows` rows of n. */                                                                                 \
  void add_bias_##SUFFIX(REAL *y, const REAL *bias, size_t rows, size_t n);                                                     \
  /** sums (+): of the columns of x. */                                                                                         \
  void column_sums_##SUFFIX(const REAL *x, size_t rows, size_t n, REAL *sums);                                                  \
  /** Attention of the segments' queries. A row of q, of k and v, of y begins every so many elements. `probabilities` keeps     \
   those of query row i and head h from i · probability_stride + h · capacity on; with a stride of 0 it is scratch. The         \
   capacity is a multiple of 8, not below the most keys that a query sees. */                                                     \
  void attention_##SUFFIX(const REAL *q, size_t q_stride, const REAL *k, const REAL *v, size_t kv_stride, REAL *y,              \
                          size_t y_stride, size_t heads, size_t kv_heads, size_t size, REAL scale,                              \
                          const attention_segment *segments, size_t count, REAL *probabilities, size_t probability_stride,     \
                          size_t capacity);                                                                                     \
  /** dq, dk and dv (+), which have the strides of q, k and v; `scratch` holds `capacity` elements. */                          \
  void attention_gradient_##SUFFIX(const REAL *q, size_t q_stride, const REAL *k, const REAL *v, size_t kv_stride,              \
                                   const REAL *dy, size_t y_stride, size_t heads, size_t kv_heads, size_t size, REAL scale,     \
                                   const attention_segment *segments, size_t count, const REAL *probabilities,                  \
                                   size_t probability_stride, size_t capacity, REAL *dq, REAL *dk, REAL *dv, REAL *scratch);    \
  /** ln Σ exp of each row of n, and its entropy in nats unless `entropies` is null. */                                         \
  void log_sum_exp_##SUFFIX(const REAL *x, size_t rows, size_t n, REAL *sums, REAL *entropies);                                 \
  /** x = weight · softmax(x) in place, for each row with its weight, from its ln Σ exp. */                                     \
  void weighted_softmax_##SUFFIX(REAL *x, size_t rows, size_t n, const REAL *sums, const REAL *weights);                        \
  /** Draws an index from softmax of each row by inverting its distribution at `uniforms` in (0, 1), given its ln Σ exp. */ \
  void draw_##SUFFIX(const REAL *x, size_t rows, size_t n, const REAL *normalisers, const double *uniforms,                     \
                     int32_t *indices, REAL *log_probabilities);                                                              \
  /** The index of the largest element of each row, the first of equal ones, and its log-probability. */                       \
  void draw_largest_##SUFFIX(const REAL *x, size_t rows, size_t n, const REAL *normalisers, int32_t *indices,                  \
                             REAL *log_probabilities);                                                                        \
  /** One step of AdamW (Loshchilov and Hutter 2019) in the order of PyTorch's operations. */                                   \
  void adamw_##SUFFIX(REAL *parameters, const REAL *gradient, REAL *first, REAL *second, size_t n, REAL decay, REAL beta1,      \
                      REAL beta2, REAL step_size, REAL root_correction, REAL epsilon);                                          \
  /** y (+) = x. */                                                                                                             \
  void accumulate_##SUFFIX(const REAL *x, size_t n, REAL *y);                                                                   \
  /** ‖x_i‖ of each row of n. */                                                                                                \
  void row_norms_##SUFFIX(const REAL *x, size_t rows, size_t n, REAL *norms);                                                   \
  /** y_i = factors_i · x_i for each row of n; y may be x. */                                                                   \
  void scale_rows_##SUFFIX(const REAL *x, const REAL *factors, size_t rows, size_t n, REAL *y);                                 \
  /** dots_i = x_i · y_i of each row of n. */                                                                                   \
  void row_dots_##SUFFIX(const REAL *x, const REAL *y, size_t rows, size_t n, REAL *dots);

TRANSFORMER_KERNELS(float, f32)
TRANSFORMER_KERNELS(double, f64)
/// The same as plain loops in the order of their formulas, with the exponential of the C library.
TRANSFORMER_KERNELS(float, plain_f32)
TRANSFORMER_KERNELS(double, plain_f64)
#undef TRANSFORMER_KERNELS
