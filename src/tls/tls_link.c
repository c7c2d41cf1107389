/* tls_link.c -- one client's TLS, as an event loop wants it.
 *
 * Reading. TLS comes in records of at most 16 KiB. OpenSSL takes one record at
 * a time from the socket and never looks further (no read-ahead), so a caller
 * who always has room for a whole record leaves nothing inside. A read goes on
 * while there is that much room, and the rest is in the socket, of which poll
 * knows. So a connection may be deaf, moved or left alone at any point between
 * two reads.
 *
 * Writing. Slices are gathered into records: small ones are copied together,
 * since each record costs a system call and 22 bytes at least; a large one goes
 * as it lies. When the socket takes no more, OpenSSL holds one record that is
 * encrypted already. It must be given the same bytes again, and it says how
 * many those were only when they are out. The owner's queue does that by
 * itself: what was not written stays at its front.
 *
 * What OpenSSL 3.0 cannot do is answer a client that asks for new keys (TLS 1.3)
 * while it holds a record that the same client does not take: such a connection
 * ends. No client in use asks before some gigabytes, and whoever comes back
 * misses nothing.
 *
 * Idle. Both buffers are given back when empty (SSL_MODE_RELEASE_BUFFERS).
 */
#include <tidings/tls.h>

#include "base/seeded_bug.h"
#include "tls/tls_context.h"

#include <tidings/check.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_BURST_BYTES = 262144 };

struct tls_link {
    SSL *ssl;
    uint32_t retry_bytes; /* of the record that OpenSSL holds; 0: none */
    bool is_established;
    bool has_ended; /* the client says no more */
    bool is_broken; /* and we cannot either */
};

struct tls_link *tls_link_create(struct tls *tls, int descriptor)
{
    struct tls_link *link = must_calloc(1, sizeof *link);
    SSL_CTX *context = tls_context_ref(tls);

    link->ssl = SSL_new(context);
    CHECK(link->ssl != NULL);
    SSL_CTX_free(context);
    CHECK(SSL_set_fd(link->ssl, descriptor) == 1);
    SSL_set_accept_state(link->ssl);
    return link;
}

void tls_link_destroy(struct tls_link **link)
{
    struct tls_link *mine = *link;

    *link = NULL;
    if (mine == NULL)
        return;
    SSL_free(mine->ssl);
    free(mine);
}

/* What a call of OpenSSL that gave `result` means. */
static enum status from_ssl(struct tls_link *link, int result)
{
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return ST_EMPTY;
    case SSL_ERROR_WANT_WRITE:
        return ST_FULL;
    case SSL_ERROR_ZERO_RETURN: /* it said that it ends: we may still write */
        link->has_ended = true;
        return ST_CLOSED;
    default:
        link->has_ended = link->is_broken = true;
        return ST_CLOSED;
    }
}

/* ---- handshake --------------------------------------------------------------- */

enum status tls_link_handshake(struct tls_link *link, const char **why_out)
{
    enum status st;
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(link->ssl);
    if (result == 1) {
        link->is_established = true;
        (void)SSL_free_buffers(link->ssl);
        return ST_OK;
    }
    st = from_ssl(link, result);
    if (st != ST_CLOSED)
        return st;
    *why_out = ERR_reason_error_string(ERR_peek_error());
    if (*why_out == NULL)
        *why_out = "the client went away";
    ERR_clear_error();
    return ST_BAD_INPUT;
}

bool tls_link_was_resumed(const struct tls_link *link)
{
    return SSL_session_reused(link->ssl) == 1;
}

/* ---- reading ------------------------------------------------------------------- */

enum status tls_link_read(struct tls_link *link, void *bytes, size_t room,
                          size_t *received_out)
{
    size_t received = 0;
    enum status st = ST_OK;

    CHECK(room >= TLS_RECORD_BYTES);
    if (link->is_broken)
        return ST_CLOSED;
    ERR_clear_error();
    while (room - received >= TLS_RECORD_BYTES) {
        size_t most = seeded_bug("tls-pending-left") ? 100 : room - received;
        size_t now = 0;
        int result =
            SSL_read_ex(link->ssl, (char *)bytes + received, most, &now);

        if (result != 1) {
            st = from_ssl(link, result);
            break;
        }
        received += now;
        if (seeded_bug("tls-pending-left"))
            break;
    }
    if (received == 0)
        return st;
    *received_out = received;
    return ST_OK;
}

bool tls_link_has_ended(const struct tls_link *link)
{
    return link->has_ended;
}

/* ---- writing ------------------------------------------------------------------- */

/* A place in the pieces of a write. */
struct cursor {
    const struct iovec *piece;
    unsigned left; /* pieces, this one too */
    size_t offset; /* in this one */
};

static void skip(struct cursor *cursor, size_t bytes)
{
    while (cursor->left > 0 &&
           bytes >= cursor->piece->iov_len - cursor->offset) {
        bytes -= cursor->piece->iov_len - cursor->offset;
        cursor->piece++;
        cursor->left--;
        cursor->offset = 0;
    }
    if (cursor->left > 0)
        cursor->offset += bytes;
}

/* The bytes of the next record: as they lie, or copied together. */
static const void *next_record(struct cursor at, char *together,
                               size_t *length_out)
{
    size_t length = 0;

    if (at.left == 1 || at.piece->iov_len - at.offset >= TLS_RECORD_BYTES) {
        length = at.piece->iov_len - at.offset;
        *length_out = length < TLS_RECORD_BYTES ? length : TLS_RECORD_BYTES;
        return (const char *)at.piece->iov_base + at.offset;
    }
    while (at.left > 0 && length < TLS_RECORD_BYTES) {
        size_t most = at.piece->iov_len - at.offset;

        if (most > TLS_RECORD_BYTES - length)
            most = TLS_RECORD_BYTES - length;
        memcpy(together + length, (const char *)at.piece->iov_base + at.offset,
               most);
        length += most;
        skip(&at, most);
    }
    *length_out = length;
    return together;
}

/* One record, or what OpenSSL had of it already. */
static enum status write_record(struct tls_link *link, const void *bytes,
                                size_t length, size_t *written_out)
{
    enum status st;
    int result;

    CHECK(length >= link->retry_bytes);
    result = SSL_write_ex(link->ssl, bytes, length, written_out);
    if (result == 1) {
        link->retry_bytes = 0;
        return ST_OK;
    }
    st = from_ssl(link, result);
    link->retry_bytes = (uint32_t)length;
    if (st == ST_FULL && seeded_bug("tls-retry-other")) {
        link->retry_bytes = 0;
        *written_out = length;
        return ST_OK;
    }
    return st;
}

enum status tls_link_writev(struct tls_link *link, const struct iovec *pieces,
                            unsigned count, size_t *written_out)
{
    struct cursor cursor = {pieces, count, 0};
    char together[TLS_RECORD_BYTES];
    size_t written = 0;
    enum status st = ST_OK;

    if (link->is_broken)
        return ST_CLOSED;
    ERR_clear_error();
    skip(&cursor, 0);
    while (st == ST_OK && cursor.left > 0 && written < WRITE_BURST_BYTES) {
        size_t length = 0, now = 0;
        const void *bytes = next_record(cursor, together, &length);

        st = write_record(link, bytes, length, &now);
        written += now;
        skip(&cursor, now);
    }
    if (written == 0 && st != ST_OK)
        return st;
    *written_out = written;
    return ST_OK;
}

/* Not while a record is held: the alert would wait behind it, for ever. */
void tls_link_end(struct tls_link *link)
{
    if (link->is_broken || !link->is_established || link->retry_bytes > 0 ||
        seeded_bug("tls-no-goodbye"))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(link->ssl);
    ERR_clear_error();
}
