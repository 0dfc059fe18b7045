#pragma once
#include <stddef.h>

/// One file of the embedded base model's Hugging Face folder.
typedef struct {
  const char *name;
  const unsigned char *bytes;
  size_t count;
} base_file;

/// The files of the embedded base model.
const base_file *base_files(size_t *count);
