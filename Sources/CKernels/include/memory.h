#pragma once

#include <stddef.h>

// Has the C library map blocks of at least `map_threshold` bytes on their own, and give freed memory back beyond `trim_threshold`. Does
// nothing where the C library is not glibc.
void keep_freed_pages(long map_threshold, long trim_threshold);

// Gives freed memory that the C library keeps back to the system. Does nothing where the C library is not glibc.
void return_freed_pages(void);
