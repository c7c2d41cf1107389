/* tcp_link.h -- one TCP connection, with TLS or without, whose calls wait, with a limit to each wait.
 *
 * Threads   main.
 * Memory    create and destroy; between open and shut it has a socket.
 * Units     Milliseconds.
 * Errors    ST_CLOSED not reachable, or the other side is gone; ST_TIMEOUT.
 *           After either of send, the link is shut. `tcp_link_why` says more.
 */
#ifndef CLI_TCP_LINK_H
#define CLI_TCP_LINK_H

#include <tidings/buffer.h>
#include <tidings/status.h>

struct tcp_link;
struct tls_trust;

struct tcp_link *tcp_link_create(void);
void tcp_link_destroy(struct tcp_link **link);

/* Tries every address of the name. Shuts the old connection, if any. `trust`:
 * whom to believe that it is `host`, by TLS; NULL: without TLS. */
enum status tcp_link_open(struct tcp_link *link, const char *host,
                          const char *port, const struct tls_trust *trust,
                          unsigned wait_ms) MUST_USE;
void tcp_link_shut(struct tcp_link *link);
bool tcp_link_is_open(const struct tcp_link *link);

/* All of it, or not ST_OK. */
enum status tcp_link_send(struct tcp_link *link, struct text bytes,
                          unsigned wait_ms) MUST_USE;

/* Appends what is there, at least one byte, waiting for it if need be.
 * ST_CLOSED at the end of the stream. */
enum status tcp_link_receive(struct tcp_link *link, struct buffer *out,
                             unsigned wait_ms) MUST_USE;

const char *tcp_link_why(const struct tcp_link *link);

#endif
