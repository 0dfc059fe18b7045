#include "CKernels.h"
#include "transformer.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif

// e^x as 2^n · e^r with |r| ≤ ln(2)/2 and a polynomial of degree 7 for e^r, whose relative error there is below 2⁻²⁶; the
// whole stays within 2 units in the last place. Below −87.3 it is 2⁻¹²⁶ rather than a subnormal number, above 88.37 it stays there.
// No branch and no call, so that loops over it use vectors.
static inline __attribute__((always_inline)) float exponential(float x) {
  const float shift = 0x1.8p23f;
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.37f ? 88.37f : x;
  // Adding 1.5·2²³ rounds to the nearest integer, which then stands in the lowest bits.
  float shifted = x * 0x1.715476p0f + shift;
  float n = shifted - shift;
  float r = x - n * 0x1.62e4p-1f - n * 0x1.7f7d1cp-20f;
  float p = 0x1.a01a02p-13f;
  p = p * r + 0x1.6c16c2p-10f;
  p = p * r + 0x1.111112p-7f;
  p = p * r + 0x1.555556p-5f;
  p = p * r + 0x1.555556p-3f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  int32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  int32_t power = (bits - 0x4b400000 + 127) << 23;
  float scale;
  memcpy(&scale, &power, sizeof scale);
  return p * scale;
}

#define REAL float
#define NAME(x) x##_f32
#define EXP exponential
#define LOG logf
#define SQRT sqrtf
#include "transformer_template.h"
#undef REAL
#undef NAME
#undef EXP
#undef LOG
#undef SQRT

#define REAL double
#define NAME(x) x##_f64
#define EXP exp
#define LOG log
#define SQRT sqrt
#include "transformer_template.h"
