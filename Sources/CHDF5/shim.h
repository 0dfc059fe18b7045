#pragma once
#include <hdf5.h>
// Dimension scales; needs the header above.
#include <H5DSpublic.h>
#include <string.h>

// What Swift cannot import of HDF5. The macros below first run H5open(); the variables behind them are 0 until then.

// Native types are macros with a call in them.
static inline hid_t h5_native_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t h5_native_double(void) { return H5T_NATIVE_DOUBLE; }
static inline hid_t h5_native_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t h5_c_string(void) { return H5T_C_S1; }

// File types of fixed byte order, so that a file has the same bytes on every machine; macros with a call in them.
static inline hid_t h5_file_float(void) { return H5T_IEEE_F32LE; }
static inline hid_t h5_file_double(void) { return H5T_IEEE_F64LE; }
static inline hid_t h5_file_int64(void) { return H5T_STD_I64LE; }

// A cast in the macro keeps it out of Swift.
static inline size_t h5_variable_length(void) { return H5T_VARIABLE; }

// Plain numbers in C, which Swift makes Int32 instead of hid_t.
static const hid_t h5_default = H5P_DEFAULT;
static const hid_t h5_all = H5S_ALL;
static const hid_t h5_no_id = H5I_INVALID_HID;

// Access flags are macros with a comma expression.
static inline unsigned h5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned h5_truncate(void) { return H5F_ACC_TRUNC; }

// Property list classes are macros with a call in them.
static inline hid_t h5_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t h5_dataset_creation(void) { return H5P_DATASET_CREATE; }

// Silences the automatic error printing of the calling thread (it is on in each new thread). H5E_auto2_t cannot be
// passed as nil together with the versioned name in one readable Swift expression.
static inline herr_t h5_silence(void) { return H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

// The target of h5_copy_innermost.
struct h5_text {
  char *bytes;
  size_t capacity;
};

// Copies the description of record 0, the innermost one; a callback that fills C memory is safer in C.
static inline herr_t h5_copy_innermost(unsigned n, const H5E_error2_t *record, void *target) {
  struct h5_text *text = (struct h5_text *)target;
  if (n != 0 || record->desc == NULL) return 0;
  size_t length = strlen(record->desc);
  if (length >= text->capacity) length = text->capacity - 1;
  for (size_t i = 0; i < length; ++i) {
    unsigned char byte = (unsigned char)record->desc[i];
    text->bytes[i] = (byte < 0x20 || byte == 0x7f) ? ' ' : (char)byte;
  }
  text->bytes[length] = 0;
  return 0;
}

// Takes the error stack of the calling thread (which empties it) and copies its innermost message, without control
// characters (HDF5 puts newlines into some), into `bytes`; an empty string when there is none. H5Ewalk2 wants a C
// callback.
static inline void h5_take_error(char *bytes, size_t capacity) {
  bytes[0] = 0;
  struct h5_text text = {bytes, capacity};
  hid_t stack = H5Eget_current_stack();
  if (stack < 0) return;
  H5Ewalk2(stack, H5E_WALK_UPWARD, h5_copy_innermost, &text);
  H5Eclose_stack(stack);
}
