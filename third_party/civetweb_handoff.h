/* civetweb_handoff.h -- civetweb's listeners, parser and router without its
 * threads: it accepts for us and reads a head that we lend it.
 *
 * accept -> `accepted` is called on civetweb's master thread with a
 * non-blocking socket that is ours from then on. Later, on any thread that has
 * a lender, the bytes of one complete request head are lent: civetweb parses
 * and routes them and the handler is called before lend returns. Civetweb can
 * neither block nor touch the socket: what it writes itself (an error page)
 * goes into `answer`.
 *
 * Threads   start, stop: main. accepted: civetweb's master, must only enqueue.
 *           A lender: the thread that made it.
 * Memory    Everything in struct handoff_request is valid during the handler.
 * Units     Ports in host order.
 * Errors    ST_IO cannot listen (a sentence in `why`). ST_BAD_INPUT from lend:
 *           civetweb refused the head; its answer is in `answer`.
 */
#ifndef CIVETWEB_HANDOFF_H
#define CIVETWEB_HANDOFF_H

#include <tidings/buffer.h>
#include <tidings/status.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct handoff;
struct handoff_lender;

struct handoff_socket {
    int descriptor; /* non-blocking, close-on-exec; TCP_NODELAY is set */
    struct sockaddr_storage local, remote;
    bool is_tls;      /* the TLS handshake is still to be made, by the owner */
    bool is_redirect; /* listener that only redirects to TLS */
};

typedef void handoff_accepted_fn(void *arg, const struct handoff_socket *fresh);

struct handoff_header {
    const char *name, *value;
};

struct handoff_request {
    const char *method;
    const char *path;         /* decoded and cleaned by civetweb */
    const char *raw_path;     /* as sent, without the query */
    const char *query;        /* as sent, "" if none */
    const char *http_version; /* "1.0" or "1.1" */
    const struct handoff_header *headers;
    unsigned header_count;
};

typedef void handoff_handler_fn(void *arg,
                                const struct handoff_request *request);

struct handoff_options {
    const char *listen; /* civetweb's listening_ports, e.g. "127.0.0.1:0" */
    handoff_accepted_fn *accepted;
    void *accepted_arg;
    unsigned tls_count; /* so many, the last of the list, are for TLS */
};

enum status handoff_start(const struct handoff_options *options,
                          struct handoff **handoff_out, char *why,
                          size_t why_bytes) MUST_USE;
/* Stops accepting and joins civetweb's threads; lenders must be gone. */
void handoff_stop(struct handoff **handoff);

/* The port of the first listener without TLS, or with; 0: there is none. */
uint16_t handoff_port(const struct handoff *handoff);
uint16_t handoff_tls_port(const struct handoff *handoff);

struct handoff_lender *handoff_lender_create(struct handoff *handoff);
void handoff_lender_destroy(struct handoff_lender **lender);

/* Lends exactly one complete head (checked before by http_head_check, without
 * HTABs). The handler is called at most once. */
enum status handoff_lend(struct handoff_lender *lender, struct text head,
                         const struct handoff_socket *socket,
                         handoff_handler_fn *handler, void *handler_arg,
                         struct buffer *answer) MUST_USE;

const char *handoff_civetweb_version(void);

#endif
