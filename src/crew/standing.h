/* standing.h -- whom a connection is with, what it holds for that, and what it
 * is over.
 *
 * Threads   The crew thread of the connection.
 * Memory    A part of the connection.
 * Units     Milliseconds.
 * Errors    None.
 */
#ifndef CREW_STANDING_H
#define CREW_STANDING_H

#include <tidings/admission.h>

struct connection;

struct standing {
    struct address peer; /* whom the socket is with, or its PROXY header says */
    struct address client; /* the same, or whom a proxy's request is from */
    account_id account;    /* of the client; NONE: a trusted proxy itself */
    account_id subject;    /* of the stream that it is, or NONE */
    uint8_t limit;         /* enum limit: it is in the reserve because of it */
    bool is_proxied : 1;   /* the peer is trusted: requests name their client */
};

void standing_begin(struct connection *connection, const struct address *peer,
                    const struct admission *admission);

/* A PROXY header was read. False: it may not come in. */
bool standing_introduce(struct connection *connection,
                        const struct address *source);

/* The request is over: so is the stream that it was, and what its client held is
 * given back, if it came through a proxy. */
void standing_end_request(struct connection *connection);

/* For good; harmless the second time. */
void standing_end(struct connection *connection);

/* How long a client may take for what the setting gives so long: less in the
 * reserve. */
int64_t standing_patience_ms(const struct connection *connection,
                             int64_t setting_ms);

#endif
