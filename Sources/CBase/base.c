#include "CBase.h"

// The model's files as they lie in `model/`, which `spectroscope pretrain --out model` wrote. A compiler reads bytes by #embed (C23) in no
// time; as a resource they would lie beside the program and be lost when it is moved.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char configuration[] = {
#embed "model/config.json"
};
static const unsigned char generation[] = {
#embed "model/generation_config.json"
};
static const unsigned char weights[] = {
#embed "model/model.safetensors"
};
static const unsigned char tokenizer[] = {
#embed "model/tokenizer.json"
};
static const unsigned char tokenizer_configuration[] = {
#embed "model/tokenizer_config.json"
};

static const base_file files[] = {
    {"config.json", configuration, sizeof configuration},
    {"generation_config.json", generation, sizeof generation},
    {"model.safetensors", weights, sizeof weights},
    {"tokenizer.json", tokenizer, sizeof tokenizer},
    {"tokenizer_config.json", tokenizer_configuration, sizeof tokenizer_configuration},
};

const base_file *base_files(size_t *count) {
  *count = sizeof files / sizeof *files;
  return files;
}
