#pragma once
#include <stddef.h>

/// Σ (scale·x)², summed in double.
double sum_of_squares_f32(const float *x, size_t n, double scale);
double sum_of_squares_f64(const double *x, size_t n, double scale);

/// The largest |x|, and whether all are finite.
float largest_magnitude_f32(const float *x, size_t n, int *is_finite);
double largest_magnitude_f64(const double *x, size_t n, int *is_finite);

/// How many are NaN or infinite; of floats at most 2³² are counted.
size_t count_non_finite_f32(const float *x, size_t n);
size_t count_non_finite_f64(const double *x, size_t n);
