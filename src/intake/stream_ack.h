/* stream_ack.h -- what a stream answers to a message.
 *
 * Threads   Any.
 * Memory    None.
 * Units     Sequences.
 * Errors    In the acknowledgement.
 */
#ifndef TIDINGS_STREAM_ACK_H
#define TIDINGS_STREAM_ACK_H

#include <tidings/status.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>

struct stream_ack {
    enum status st;    /* TOO_BIG, BUSY: not stored; TIMEOUT: may be anything */
    uint64_t sequence; /* OK */
    bool is_duplicate; /* OK: its Nats-Msg-Id was there, under that sequence */
};

void stream_ack_parse(struct text payload, struct stream_ack *ack_out);

#endif
