// lz4 and zstd for Swift. zstd is asked for the part of its interface that builds a context in memory of the caller's:
// only so is the memory of a context known, and no call allocates. No state, no policy, no loop.
#ifndef APUS_CCOMPRESSION_H
#define APUS_CCOMPRESSION_H

#define ZSTD_STATIC_LINKING_ONLY

#include <lz4.h>
#include <lz4hc.h>
#include <zstd.h>
#include <zstd_errors.h>

#endif
