/* tls_caller.c -- TLS as a client, over bytes instead of a socket.
 *
 * For our own commands and the server's test of itself, each of which has its
 * own way to wait for a socket. OpenSSL reads and writes two buffers in memory.
 */
#include <tidings/tls.h>

#include <tidings/check.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_BYTES = 16384 };

struct tls_caller {
    SSL *ssl;
    BIO *came, *to_send; /* the SSL's */
};

static bool set_trust(SSL_CTX *context, const struct tls_trust *trust)
{
    if (trust->is_anybody)
        return true;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return trust->file != NULL
               ? SSL_CTX_load_verify_file(context, trust->file) == 1
               : SSL_CTX_set_default_verify_paths(context) == 1;
}

/* What the certificate must say: the address, if it is one, or the name. */
static void set_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *wanted = SSL_get0_param(ssl);
    char *name; /* only read, but the macro below casts the const away */

    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host) == 1)
        return;
    ERR_clear_error();
    CHECK(SSL_set1_host(ssl, host) == 1);
    memcpy(&name, &host, sizeof name);
    CHECK(SSL_set_tlsext_host_name(ssl, name) == 1);
}

enum status tls_caller_create(const char *host, const struct tls_trust *trust,
                              struct tls_caller **caller_out, char *why,
                              size_t why_bytes)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct tls_caller *caller;

    CHECK(context != NULL);
    CHECK(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    if (!set_trust(context, trust)) {
        (void)snprintf(why, why_bytes, "%s: no certificates that can be read",
                       trust->file != NULL ? trust->file : "the system");
        ERR_clear_error();
        SSL_CTX_free(context);
        return ST_BAD_INPUT;
    }
    caller = must_calloc(1, sizeof *caller);
    caller->ssl = SSL_new(context);
    SSL_CTX_free(context);
    caller->came = BIO_new(BIO_s_mem());
    caller->to_send = BIO_new(BIO_s_mem());
    CHECK(caller->ssl != NULL && caller->came != NULL &&
          caller->to_send != NULL);
    SSL_set_bio(caller->ssl, caller->came, caller->to_send);
    SSL_set_connect_state(caller->ssl);
    set_host(caller->ssl, host);
    *caller_out = caller;
    return ST_OK;
}

void tls_caller_destroy(struct tls_caller **caller)
{
    struct tls_caller *mine = *caller;

    *caller = NULL;
    if (mine == NULL)
        return;
    SSL_free(mine->ssl); /* and both buffers */
    free(mine);
}

void tls_caller_feed(struct tls_caller *caller, struct text bytes)
{
    size_t taken = 0;

    if (bytes.length == 0)
        return;
    CHECK(BIO_write_ex(caller->came, bytes.bytes, bytes.length, &taken) == 1);
    CHECK(taken == bytes.length);
}

void tls_caller_take(struct tls_caller *caller, struct buffer *out)
{
    char *bytes = NULL;
    const long length = BIO_get_mem_data(caller->to_send, &bytes);

    if (length <= 0)
        return;
    buffer_append(out, bytes, (size_t)length);
    (void)BIO_reset(caller->to_send);
}

static bool wants_more(const struct tls_caller *caller, int result)
{
    return SSL_get_error(caller->ssl, result) == SSL_ERROR_WANT_READ;
}

enum status tls_caller_handshake(struct tls_caller *caller, char *why,
                                 size_t why_bytes)
{
    const char *reason;
    long verdict;
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(caller->ssl);
    if (result == 1)
        return ST_OK;
    if (wants_more(caller, result))
        return ST_EMPTY;
    verdict = SSL_get_verify_result(caller->ssl);
    reason = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                                  : ERR_reason_error_string(ERR_peek_error());
    (void)snprintf(why, why_bytes, "TLS: %s",
                   reason != NULL ? reason : "the other side went away");
    ERR_clear_error();
    return ST_CLOSED;
}

enum status tls_caller_read(struct tls_caller *caller, struct buffer *out)
{
    size_t came = 0;
    int result;

    ERR_clear_error();
    result = SSL_read_ex(caller->ssl, buffer_reserve(out, ROOM_BYTES),
                         ROOM_BYTES, &came);
    if (result == 1) {
        out->length += came;
        return ST_OK;
    }
    result = wants_more(caller, result);
    ERR_clear_error();
    return result ? ST_EMPTY : ST_CLOSED;
}

enum status tls_caller_write(struct tls_caller *caller, struct text bytes)
{
    size_t taken = 0;
    bool is_taken;

    if (bytes.length == 0)
        return ST_OK;
    ERR_clear_error();
    is_taken =
        SSL_write_ex(caller->ssl, bytes.bytes, bytes.length, &taken) == 1;
    ERR_clear_error();
    return is_taken && taken == bytes.length ? ST_OK : ST_CLOSED;
}
