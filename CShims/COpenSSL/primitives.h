// Keys, hashes and ciphers: OpenSSL's headers, and the two calls whose parameters are arrays of OSSL_PARAM, which Swift
// cannot build without allocating.
#ifndef APUS_PRIMITIVES_H
#define APUS_PRIMITIVES_H

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stddef.h>

// HKDF over SHA-256 (RFC 5869). `mode` is one of EVP_KDF_HKDF_MODE_…; 1 if `output` was filled. OpenSSL refuses an
// empty parameter without an address.
static inline int apus_hkdf_sha256(EVP_KDF_CTX *context, int mode, const void *key, size_t key_count, const void *salt,
                                   size_t salt_count, const void *info, size_t info_count, unsigned char *output,
                                   size_t output_count) {
    // OpenSSL reads the parameters and does not write them, though their type cannot say so.
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, key_count),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(salt ? salt : ""), salt_count),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(info ? info : ""), info_count),
        OSSL_PARAM_construct_end(),
    };
    return EVP_KDF_derive(context, output, output_count, parameters);
}

// HMAC over SHA-256 (RFC 2104): makes `context` ready for a message under this key; 1 if it is.
static inline int apus_hmac_sha256_begin(EVP_MAC_CTX *context, const unsigned char *key, size_t key_count) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_init(context, key, key_count, parameters);
}

#endif
