/* intake.h -- messages come in from NATS.
 *
 * Subscribes `<prefix>.>`; every message becomes a publish for the journal; one
 * with a reply subject is answered after its commit. Connects for ever, also
 * when the server is not there at the start.
 *
 * Full      The journal's mailbox has no room: the NATS callback waits for room
 *           (bounded), the library's own queue (bounded by count and bytes)
 *           gathers, and what the library then drops is counted and logged.
 *
 * Threads   start, stop: main. is_ready: any.
 * Memory    Of its own.
 * Units     None.
 * Errors    ST_BAD_INPUT a setting that nats.c refuses, sentence in `why`.
 */
#ifndef TIDINGS_INTAKE_H
#define TIDINGS_INTAKE_H

#include <tidings/config.h>
#include <tidings/journal.h>
#include <tidings/presence.h>
#include <tidings/status.h>

struct intake;

enum status intake_start(const struct config *config, struct journal *journal,
                         struct intake **intake_out, char *why,
                         size_t why_bytes) MUST_USE;

/* Stops receiving, then answers what is still owed: called before the journal
 * stops (quiesce) and after it (stop). */
void intake_quiesce(struct intake *intake);
void intake_stop(struct intake **intake);

/* Into the followed stream, as journal_post: ST_FULL, ST_CLOSED, ST_BUSY (no
 * stream to be had now), ST_BAD_INPUT; and as a result besides ST_TIMEOUT (no
 * acknowledgement in time: stored or not) and ST_TOO_BIG. Any thread. */
enum status intake_publish(struct intake *intake,
                           struct publish **publish) MUST_USE;

/* How the followed stream is, for /readyz; NULL: none is followed. Any thread. */
const char *intake_stream_state(const struct intake *intake);

/* What somebody should look at, though it may be served all the same; NULL: none. */
const char *intake_stream_alarm(const struct intake *intake);

/* The setting instance, or host, process and chance: a token of a subject.
 * `room` has INSTANCE_NAME_MAX_BYTES + 1. */
void intake_instance_name(const struct config *config, char *room);

/* Tells the other instances who subscribes, until quiesce. `presence` outlives
 * it. */
void intake_tell_presence(struct intake *intake, struct presence *presence);

/* Connected and subscribed, and the stream near its end, now? */
bool intake_is_ready(const struct intake *intake);

#endif
