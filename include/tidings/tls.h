/* tls.h -- TLS for connections that somebody else owns.
 *
 *     tls         the certificate, its key and how the server speaks; a reload
 *                 takes effect for the handshakes after it
 *     tls_link    one client's TLS on a non-blocking socket
 *     tls_caller  the other side, for our own commands: bytes in, bytes out
 *
 * A link keeps two promises to an event loop. After a read nothing is left
 * inside it, so what poll says of the socket is the truth. And what a write did
 * not take is offered again, in the same order: then it goes on where it was.
 *
 * Threads   tls_open, tls_reload, tls_close: main. A link: the
 *           thread that owns it at that time; many may make links at once.
 *           A caller: one thread.
 * Memory    A link holds what it needs of the tls: it may outlive a reload. The
 *           descriptor stays the owner's and outlives the link.
 * Units     Bytes; unix seconds; milliseconds.
 * Errors    ST_BAD_INPUT with a sentence: the pair cannot be used, and what was
 *           there before stays. Of links: ST_EMPTY wait until the socket is
 *           readable; ST_FULL until it is writable; ST_CLOSED the client is
 *           gone or broke the protocol: only end and destroy are left.
 */
#ifndef TIDINGS_TLS_H
#define TIDINGS_TLS_H

#include <tidings/buffer.h>
#include <tidings/status.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct tls;
struct tls_link;
struct tls_caller;

/* ---- tls_context.c: the pair ------------------------------------------------- */

/* PEM files: the certificate with its chain, the key (NULL or "": it is in the
 * same file). */
enum status tls_open(const char *certificate, const char *key,
                     struct tls **tls_out, char *why,
                     size_t why_bytes) MUST_USE;
void tls_close(struct tls **tls);

/* Reads the files again. */
enum status tls_reload(struct tls *tls, char *why, size_t why_bytes) MUST_USE;

/* When the certificate ends. */
int64_t tls_expires_s(struct tls *tls);

/* ---- tls_link.c: one client -------------------------------------------------- */

struct tls_link *tls_link_create(struct tls *tls, int descriptor);
void tls_link_destroy(struct tls_link **link);

/* ST_OK: done. ST_BAD_INPUT: it failed, and `why_out` (static) says why. */
enum status tls_link_handshake(struct tls_link *link,
                               const char **why_out) MUST_USE;
bool tls_link_was_resumed(const struct tls_link *link);

enum { TLS_RECORD_BYTES = 16384 };

/* Up to `room` bytes, at least TLS_RECORD_BYTES. ST_FULL: reading goes on when
 * the socket is writable. */
enum status tls_link_read(struct tls_link *link, void *bytes, size_t room,
                          size_t *received_out) MUST_USE;

/* Was the client's end met, perhaps behind bytes that were just read? No event
 * of the socket's may follow then. */
bool tls_link_has_ended(const struct tls_link *link);

/* ST_OK: so many bytes are gone, perhaps fewer than all. ST_EMPTY: writing goes
 * on when the socket is readable. */
enum status tls_link_writev(struct tls_link *link, const struct iovec *pieces,
                            unsigned count, size_t *written_out) MUST_USE;

/* Says that nothing more will be sent, if that can be said now. */
void tls_link_end(struct tls_link *link);

/* ---- tls_caller.c: the other side, without a socket ------------------------ */

struct tls_trust {
    bool is_anybody;  /* no check at all: for a test of our own port */
    const char *file; /* PEM: whom to trust; NULL: whom the system trusts */
};

/* `host` is what the certificate must be for: a name or an address. */
enum status tls_caller_create(const char *host, const struct tls_trust *trust,
                              struct tls_caller **caller_out, char *why,
                              size_t why_bytes) MUST_USE;
void tls_caller_destroy(struct tls_caller **caller);

/* Bytes that came from the socket go in, those that must be sent come out. */
void tls_caller_feed(struct tls_caller *caller, struct text bytes);
void tls_caller_take(struct tls_caller *caller, struct buffer *out);

/* ST_OK: done. ST_EMPTY: send what is there to take, feed more, call again. */
enum status tls_caller_handshake(struct tls_caller *caller, char *why,
                                 size_t why_bytes) MUST_USE;

/* Appends what is there to read. ST_EMPTY: feed more. ST_CLOSED: it is over. */
enum status tls_caller_read(struct tls_caller *caller,
                            struct buffer *out) MUST_USE;
enum status tls_caller_write(struct tls_caller *caller,
                             struct text bytes) MUST_USE;

#endif
