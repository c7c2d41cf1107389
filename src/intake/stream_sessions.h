/* stream_sessions.h -- tells other instances of sessions, and asks what they know.
 *
 * A thread of its own takes what is owed out of the table of sessions and puts it
 * into the followed stream, one message per session; before a session is used it
 * asks for the newest message, and the instance that wrote it for what it has not
 * told yet.
 *
 * Full      So many calls wait already, or there is no connection: post refuses,
 *           and the session is used as it is known here. What is owed stays in
 *           the table until it can be told.
 *
 * Threads   create, start, stop, destroy: main. post, wake: any, by the table.
 * Memory    A posted publish is its own until it is answered.
 * Units     Milliseconds.
 * Errors    ST_FULL, ST_BUSY, ST_CLOSED as above and at the end.
 */
#ifndef TIDINGS_STREAM_SESSIONS_H
#define TIDINGS_STREAM_SESSIONS_H

#include <tidings/config.h>
#include <tidings/journal.h>

struct follower;
struct nats_link;
struct sharing;

struct sharing_options {
    const struct config *config; /* outlives it */
    struct journal *journal;
    struct nats_link *link;
    struct follower *follower;
    const char *prefix;
};

struct sharing *sharing_create(const struct sharing_options *options);

/* From here on sessions are shared. */
void sharing_start(struct sharing *sharing);

/* Tells what is owed, for a moment; answers all that wait. */
void sharing_stop(struct sharing *sharing);
void sharing_destroy(struct sharing **sharing);

#endif
