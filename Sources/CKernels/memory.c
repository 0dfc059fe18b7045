#include "memory.h"

#include <stdlib.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

void keep_freed_pages(long map_threshold, long trim_threshold) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, (int)map_threshold);
  mallopt(M_TRIM_THRESHOLD, (int)trim_threshold);
#else
  (void)map_threshold;
  (void)trim_threshold;
#endif
}

void return_freed_pages(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}
