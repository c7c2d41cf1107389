/* bench_net.h -- sockets to the server under test.
 *
 * Threads   Any.
 * Memory    None. A descriptor is the caller's to close.
 * Units     Bytes.
 * Errors    -1 or false where the caller can go on; otherwise bench_die.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Begins a non-blocking connect to 127.0.0.1. Connection `number` chooses the
 * source address, so that 127.0.0.x never runs out of ports. A close resets the
 * connection: nothing stays in TIME_WAIT for the next run. */
int net_connect_begin(unsigned port, unsigned number, int receive_bytes);

/* Connects and waits for it; -1 if refused. The socket blocks. */
int net_connect(unsigned port);

void net_set_blocking(int fd, bool is_blocking);

/* All bytes on a blocking socket. False: the other side is gone. */
bool net_send_all(int fd, const char *bytes, size_t count);

#endif
