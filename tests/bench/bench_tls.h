/* bench_tls.h -- a subscriber's socket with TLS or without.
 *
 * Threads   The reader that owns the socket.
 * Memory    A client keeps nothing while idle; the descriptor is the caller's.
 * Units     Bytes.
 * Errors    As send and recv; a handshake that fails ends the program.
 */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <stddef.h>
#include <sys/types.h>

struct tls_client;

/* Shakes hands on a connected socket, and waits for it. */
struct tls_client *tls_client_open(int fd);
void tls_client_close(struct tls_client **client);

/* With `client` NULL: send and recv. A receive gives all that is there. */
ssize_t net_send(int fd, struct tls_client *client, const char *bytes,
                 size_t count);
ssize_t net_receive(int fd, struct tls_client *client, char *bytes,
                    size_t room);

#endif
