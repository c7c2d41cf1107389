/* nats_server.h -- a real nats-server for tests, a child of this process.
 *
 * Threads   main.
 * Memory    The caller's struct.
 * Units     None.
 * Errors    A server that does not come up fails a CHECK, with its output.
 */
#ifndef TEST_NATS_SERVER_H
#define TEST_NATS_SERVER_H

#include <stdio.h>
#include <sys/types.h>

struct nats_server {
    pid_t child;
    FILE *output;
    unsigned port;
    char url[64];
};

/* `port` 0: any. Returns when it takes connections. */
void nats_server_start(struct nats_server *server, unsigned port);
void nats_server_kill(struct nats_server *server);

#endif
