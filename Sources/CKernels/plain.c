#include "transformer.h"

#include <math.h>

// The kernels of `transformer.h` as plain loops in the order of their formulas, for any processor: what the others are compared with.

#define REAL float
#define NAME(x) x##_plain_f32
#define EXP expf
#define LOG logf
#define SQRT sqrtf
#include "plain_template.h"
#undef REAL
#undef NAME
#undef EXP
#undef LOG
#undef SQRT

#define REAL double
#define NAME(x) x##_plain_f64
#define EXP exp
#define LOG log
#define SQRT sqrt
#include "plain_template.h"
