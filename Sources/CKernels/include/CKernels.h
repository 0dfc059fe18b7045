#pragma once
#include <stddef.h>

#include "elements.h"
#include "memory.h"
#include "packed.h"
#include "sha256.h"
#include "skinny.h"
#include "transformer.h"

/// One step of modified Gram-Schmidt in double-double arithmetic on the row-major matrix `head + tail` (rows × columns):
/// normalises column `pivot`, and removes its direction from the columns after it.
///
/// On return `r_head + r_tail` (columns entries, those before `pivot` untouched) is the row `pivot` of R. A column that is
/// exactly zero gives a row of zeros. `work` holds 2 × columns doubles.
void extended_gram_schmidt_step(double *head, double *tail, size_t rows, size_t columns, size_t pivot, double *r_head,
                                double *r_tail, double *work);
