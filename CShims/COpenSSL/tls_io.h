// What TLS needs of C: a BIO over memory that somebody else lends for one call, and OpenSSL's macros as functions.
#ifndef APUS_TLS_IO_H
#define APUS_TLS_IO_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// MARK: The BIO

/// Bytes to read and room to write. Lent before a call of the session, taken back after it: the BIO keeps no byte.
struct tls_io {
    const unsigned char *wire;
    size_t wire_count;
    unsigned char *room;
    size_t room_count;
};

static inline int tls_io_read(BIO *bio, char *target, int count) {
    struct tls_io *io = (struct tls_io *)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (target == NULL || count <= 0) return 0;
    if (io->wire_count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t taken = io->wire_count < (size_t)count ? io->wire_count : (size_t)count;
    memcpy(target, io->wire, taken);
    io->wire += taken;
    io->wire_count -= taken;
    return (int)taken;
}

static inline int tls_io_write(BIO *bio, const char *source, int count) {
    struct tls_io *io = (struct tls_io *)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (source == NULL || count <= 0) return 0;
    if (io->room_count == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    size_t given = io->room_count < (size_t)count ? io->room_count : (size_t)count;
    memcpy(io->room, source, given);
    io->room += given;
    io->room_count -= given;
    return (int)given;
}

/// Nothing is held back, so flushing succeeds; the end of the stream is the caller's to know; there is no kernel TLS.
static inline long tls_io_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static inline int tls_io_create(BIO *bio) {
    void *io = OPENSSL_zalloc(sizeof(struct tls_io));
    if (io == NULL) return 0;
    BIO_set_data(bio, io);
    BIO_set_init(bio, 1);
    return 1;
}

static inline int tls_io_destroy(BIO *bio) {
    if (bio == NULL) return 0;
    OPENSSL_free(BIO_get_data(bio));
    BIO_set_data(bio, NULL);
    return 1;
}

/// To be made once per process and never freed. NULL: out of memory.
static inline BIO_METHOD *tls_io_method_new(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lent memory");
    if (method == NULL) return NULL;
    BIO_meth_set_read(method, tls_io_read);
    BIO_meth_set_write(method, tls_io_write);
    BIO_meth_set_ctrl(method, tls_io_ctrl);
    BIO_meth_set_create(method, tls_io_create);
    BIO_meth_set_destroy(method, tls_io_destroy);
    return method;
}

/// A session over a BIO of its own, whose lent memory goes to *io. NULL: out of memory.
static inline SSL *tls_session_new(SSL_CTX *context, const BIO_METHOD *method, struct tls_io **io) {
    SSL *session = SSL_new(context);
    BIO *bio = session == NULL ? NULL : BIO_new(method);
    if (bio == NULL) {
        SSL_free(session);
        return NULL;
    }
    *io = (struct tls_io *)BIO_get_data(bio);
    SSL_set_bio(session, bio, bio);
    return session;
}

// MARK: Errors

/// SSL_get_error is only right over an empty queue. Looking costs a fraction of clearing.
static inline void tls_forget_errors(void) {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

/// The whole code of a reason of the TLS library, whose text OpenSSL looks up by it.
static inline unsigned long tls_error_code(int reason) { return ERR_PACK(ERR_LIB_SSL, 0, reason); }

// MARK: Macros

static const uint64_t tls_option_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
static const uint64_t tls_option_no_compression = SSL_OP_NO_COMPRESSION;
static const uint64_t tls_option_no_ticket = SSL_OP_NO_TICKET;
static const uint64_t tls_option_server_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;
static const uint64_t tls_option_prioritize_chacha = SSL_OP_PRIORITIZE_CHACHA;

/// RFC 2253, with escapes for whatever is not printable ASCII.
static const unsigned long tls_name_format = XN_FLAG_RFC2253;

static inline int tls_context_set_versions(SSL_CTX *context, int min, int max) {
    return SSL_CTX_set_min_proto_version(context, min) == 1 && SSL_CTX_set_max_proto_version(context, max) == 1;
}

static inline void tls_context_set_mode(SSL_CTX *context, long mode) { SSL_CTX_set_mode(context, mode); }

static inline int tls_context_set_groups(SSL_CTX *context, const char *list) {
    return (int)SSL_CTX_set1_groups_list(context, list);
}

static inline int tls_context_set_signature_algorithms(SSL_CTX *context, const char *list) {
    return (int)SSL_CTX_set1_sigalgs_list(context, list);
}

static inline void tls_context_set_cache_mode(SSL_CTX *context, long mode) {
    SSL_CTX_set_session_cache_mode(context, mode);
}

static inline void tls_context_set_peer_chain_max(SSL_CTX *context, long byte_count) {
    SSL_CTX_set_max_cert_list(context, byte_count);
}

static inline int tls_context_add_issuer(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

static inline int tls_session_set_server_name(SSL *session, const char *name) {
    return (int)SSL_set_tlsext_host_name(session, name);
}

static inline int tls_mac_set_key(EVP_MAC_CTX *context, unsigned char *key, size_t count) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, count),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(context, parameters);
}

/// A key that is encrypted is refused instead of asking for its password on a terminal.
static inline int tls_no_password(char *buffer, int size, int is_writing, void *argument) {
    (void)buffer, (void)size, (void)is_writing, (void)argument;
    return -1;
}

/// NULL: no further certificate, or one that cannot be read (the error queue says which).
static inline X509 *tls_read_certificate(BIO *bio) { return PEM_read_bio_X509(bio, NULL, tls_no_password, NULL); }

/// NULL: no key, or one that cannot be read (the error queue says which).
static inline EVP_PKEY *tls_read_private_key(BIO *bio) {
    return PEM_read_bio_PrivateKey(bio, NULL, tls_no_password, NULL);
}

#endif
