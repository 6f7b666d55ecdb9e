// What making certificates needs of C: OpenSSL's macros and variadic functions. No state, no policy, no loop.
#ifndef APUS_CERTIFICATES_H
#define APUS_CERTIFICATES_H

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// MARK: Keys

static inline EVP_PKEY *certificate_key_p256(void) { return EVP_EC_gen("P-256"); }

static inline EVP_PKEY *certificate_key_ed25519(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); }

/// PKCS#8 without a password; 1 when it was written.
static inline int certificate_key_write(BIO *bio, const EVP_PKEY *key) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
}

// MARK: Text in memory

/// What a memory BIO holds; it stays the BIO's.
static inline size_t certificate_text(BIO *bio, const void **bytes) {
    char *start = NULL;
    long count = BIO_get_mem_data(bio, &start);
    *bytes = start;
    return count > 0 ? (size_t)count : 0;
}

// MARK: Names

/// 1 when the name got its common name.
static inline int certificate_name_set(X509_NAME *name, const unsigned char *utf8, int count) {
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, utf8, count, -1, 0);
}

/// A serial number of 127 random bits, the first of them 1: positive, and always of 16 bytes.
static inline int certificate_serial_set(X509 *certificate) {
    BIGNUM *number = BN_new();
    int is_set = number != NULL && BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                 BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set;
}

// MARK: Alternative names

static const int certificate_name_dns = GEN_DNS;
static const int certificate_name_ip = GEN_IPADD;

static inline GENERAL_NAMES *certificate_names_new(void) { return sk_GENERAL_NAME_new_null(); }

/// 1 when the name was added.
static inline int certificate_names_add(GENERAL_NAMES *names, int type, const void *bytes, int count) {
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = type == GEN_DNS ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();
    if (name == NULL || value == NULL || ASN1_STRING_set(value, bytes, count) != 1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(name);
        return 0;
    }
    GENERAL_NAME_set0_value(name, type, value);
    if (sk_GENERAL_NAME_push(names, name) > 0) return 1;
    GENERAL_NAME_free(name);
    return 0;
}

static inline GENERAL_NAMES *certificate_names_of(const X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static inline int certificate_names_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

/// The type of a name; its bytes if it is a DNS name or an address, and none otherwise.
static inline int certificate_names_get(const GENERAL_NAMES *names, int index, const unsigned char **bytes,
                                        int *count) {
    int type = 0;
    const ASN1_STRING *value =
        (const ASN1_STRING *)GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, index), &type);
    int is_string = type == GEN_DNS || type == GEN_IPADD;
    *bytes = is_string ? ASN1_STRING_get0_data(value) : NULL;
    *count = is_string ? ASN1_STRING_length(value) : 0;
    return type;
}

static inline void certificate_names_free(GENERAL_NAMES *names) { GENERAL_NAMES_free(names); }

/// 1 when the extension was added.
static inline int certificate_names_set(X509 *certificate, GENERAL_NAMES *names) {
    return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT);
}

// MARK: Extensions

/// Add an extension, given in the words of OpenSSL's configuration files; 1 when it was added. `issuer` is the
/// certificate itself when it signs itself.
static inline int certificate_extension_add(X509 *certificate, X509 *issuer, int type, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, type, value);
    int is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

#endif
