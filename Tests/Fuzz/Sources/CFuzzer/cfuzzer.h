// The one function of libFuzzer (in the toolchain's compiler-rt) that a driver calls; it comes without a header.

#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*driver)(const uint8_t *bytes, size_t count));
