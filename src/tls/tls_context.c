/* tls_context.c -- the certificate, its key, and how the server speaks TLS.
 *
 * All that links need is in one SSL_CTX of OpenSSL's, which is made whole and
 * not changed afterwards. A reload makes another and puts it in the place of
 * the first; links hold the one they were made with, so nobody is disturbed.
 * The lock is held while a pointer is read and its count raised, no longer.
 *
 * A client that ends its side without close_notify is taken as one that said it:
 * where a request ends is told by HTTP, so nothing is cut off unnoticed, and it
 * may still read our answer.
 *
 * How it speaks: TLS 1.2 and 1.3; with 1.2 only suites that have forward
 * secrecy and authenticated encryption; no compression, no renegotiation;
 * HTTP/1.1 if the client lets us choose. The server's order of suites counts.
 *
 * Sessions are resumed by tickets, whose keys are the context's own: the server
 * stores nothing per client. A ticket is good for two hours. The keys go with
 * their context, and the owner reloads at least twice a day, so whoever gets
 * hold of them reads little of what was said before (with TLS 1.2; with 1.3
 * nothing of it).
 *
 * The key must not be readable by everybody on the machine: that is refused,
 * not warned of, since a key that was open once is not made good by chmod.
 */
#include <tidings/tls.h>

#include "tls/tls_context.h"

#include <tidings/check.h>

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#define SUITES_OF_1_2                                                          \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"               \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"               \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES_OF_1_3                                                          \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"                           \
    "TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"

enum { TICKET_S = 7200, TICKETS = 1 };

struct tls {
    char *certificate, *key; /* fixed at open: file names */

    uv_mutex_t mutex;
    SSL_CTX *context; /* guarded by mutex */
};

/* ---- what OpenSSL says ----------------------------------------------------- */

static enum status complain(const char *what, const char *file, char *why,
                            size_t why_bytes)
{
    const unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);

    if (ERR_GET_LIB(error) == ERR_LIB_SYS)
        reason = strerror(ERR_GET_REASON(error));
    (void)snprintf(why, why_bytes, "%s %s: %s", what, file,
                   reason != NULL ? reason : "it cannot be used");
    ERR_clear_error();
    return ST_BAD_INPUT;
}

/* ---- the files --------------------------------------------------------------- */

static enum status check_permissions(const char *file, char *why,
                                     size_t why_bytes)
{
    struct stat is;

    if (stat(file, &is) != 0) {
        (void)snprintf(why, why_bytes, "tls_key %s: %s", file, strerror(errno));
        return ST_BAD_INPUT;
    }
    if ((is.st_mode & S_IRWXO) != 0) {
        (void)snprintf(why, why_bytes,
                       "tls_key %s: everybody on this machine may read or "
                       "change it (mode %03o); take that away with chmod o=",
                       file, (unsigned)(is.st_mode & 0777u));
        return ST_BAD_INPUT;
    }
    return ST_OK;
}

/* A key with a passphrase: nobody is there to type it. */
static int no_passphrase(char *room, int bytes, int is_writing, void *arg)
{
    (void)room;
    (void)bytes;
    (void)is_writing;
    (void)arg;
    return -1;
}

static enum status take_pair(const struct tls *tls, SSL_CTX *context, char *why,
                             size_t why_bytes)
{
    enum status st = check_permissions(tls->key, why, why_bytes);

    if (st != ST_OK)
        return st;
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, tls->certificate) != 1)
        return complain("tls_certificate", tls->certificate, why, why_bytes);
    if (SSL_CTX_use_PrivateKey_file(context, tls->key, SSL_FILETYPE_PEM) != 1)
        return complain("tls_key", tls->key, why, why_bytes);
    if (SSL_CTX_check_private_key(context) != 1)
        return complain("tls_key", tls->key, why, why_bytes);
    return ST_OK;
}

/* ---- how it speaks ------------------------------------------------------------- */

static int choose_protocol(SSL *ssl, const unsigned char **out,
                           unsigned char *out_length, const unsigned char *in,
                           unsigned in_length, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_length, ours, sizeof ours - 1, in,
                              in_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *create_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    char groups[] = GROUPS; /* OpenSSL's macro casts its const away */

    CHECK(context != NULL);
    CHECK(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    CHECK(SSL_CTX_set_cipher_list(context, SUITES_OF_1_2) == 1);
    CHECK(SSL_CTX_set_ciphersuites(context, SUITES_OF_1_3) == 1);
    CHECK(SSL_CTX_set1_groups_list(context, groups) == 1);
    (void)SSL_CTX_set_options(
        context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                     SSL_OP_CIPHER_SERVER_PREFERENCE |
                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_timeout(context, TICKET_S);
    CHECK(SSL_CTX_set_num_tickets(context, TICKETS) == 1);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return context;
}

static enum status read_context(const struct tls *tls, SSL_CTX **context_out,
                                char *why, size_t why_bytes)
{
    SSL_CTX *context = create_context();
    enum status st = take_pair(tls, context, why, why_bytes);

    if (st != ST_OK) {
        SSL_CTX_free(context);
        return st;
    }
    *context_out = context;
    return ST_OK;
}

/* ---- the present one ------------------------------------------------------------- */

static void destroy(struct tls *tls)
{
    SSL_CTX_free(tls->context);
    uv_mutex_destroy(&tls->mutex);
    free(tls->certificate);
    free(tls->key);
    free(tls);
}

enum status tls_open(const char *certificate, const char *key,
                     struct tls **tls_out, char *why, size_t why_bytes)
{
    struct tls *tls = must_calloc(1, sizeof *tls);
    enum status st;

    CHECK(uv_mutex_init(&tls->mutex) == 0);
    tls->certificate = must_strdup(certificate);
    tls->key = must_strdup(key == NULL || key[0] == '\0' ? certificate : key);
    st = read_context(tls, &tls->context, why, why_bytes);
    if (st != ST_OK) {
        destroy(tls);
        return st;
    }
    *tls_out = tls;
    return ST_OK;
}

void tls_close(struct tls **tls)
{
    struct tls *mine = *tls;

    *tls = NULL;
    if (mine != NULL)
        destroy(mine);
}

enum status tls_reload(struct tls *tls, char *why, size_t why_bytes)
{
    SSL_CTX *fresh = NULL, *old;
    enum status st = read_context(tls, &fresh, why, why_bytes);

    if (st != ST_OK)
        return st;
    uv_mutex_lock(&tls->mutex);
    old = tls->context;
    tls->context = fresh;
    uv_mutex_unlock(&tls->mutex);
    SSL_CTX_free(old);
    return ST_OK;
}

SSL_CTX *tls_context_ref(struct tls *tls)
{
    SSL_CTX *context;

    uv_mutex_lock(&tls->mutex);
    context = tls->context;
    CHECK(SSL_CTX_up_ref(context) == 1);
    uv_mutex_unlock(&tls->mutex);
    return context;
}

int64_t tls_expires_s(struct tls *tls)
{
    SSL_CTX *context = tls_context_ref(tls);
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    int days = 0, seconds = 0;
    int64_t expires_s = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);

    CHECK(epoch != NULL && certificate != NULL);
    if (ASN1_TIME_diff(&days, &seconds, epoch,
                       X509_get0_notAfter(certificate)) == 1)
        expires_s = (int64_t)days * 86400 + seconds;
    ASN1_TIME_free(epoch);
    SSL_CTX_free(context);
    return expires_s;
}
