// What Swift cannot import from OpenSSL: its macros, and the two callbacks of a BIO that reads and writes memory.
// Header-only `static inline` C; no state, no policy, no loop.
#ifndef APUS_COPENSSL_H
#define APUS_COPENSSL_H

#include "primitives.h"
#include "tls_io.h"
#include "certificates.h"

#endif
