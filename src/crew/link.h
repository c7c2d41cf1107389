/* link.h -- a client's socket, with TLS or without.
 *
 * The one place of this chapter that knows which of the two it is. What it says
 * of polling is for the loop: TLS may have to write in order to read, and the
 * other way round.
 *
 * Threads   The crew thread that owns the connection.
 * Memory    The descriptor is the link's; `tls` is made when the first byte of
 *           a handshake is there and lives as long as the connection.
 * Units     Bytes.
 * Errors    ST_EMPTY nothing to read now; ST_FULL no room now; ST_CLOSED, ST_IO
 *           the client is gone.
 */
#ifndef CREW_LINK_H
#define CREW_LINK_H

#include <tidings/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct tls_link;

struct link {
    int descriptor;
    bool read_wants_room : 1;  /* reading goes on when it is writable */
    bool write_wants_data : 1; /* writing goes on when it is readable */
    struct tls_link *tls;      /* NULL: as the bytes are */
};

void link_init(struct link *link, int descriptor);
void link_close(struct link *link);

/* `room` is at least TLS_RECORD_BYTES; afterwards nothing waits in the link. */
enum status link_read(struct link *link, void *bytes, size_t room,
                      size_t *received_out) MUST_USE;

/* Did the read meet the client's end behind the bytes that it gave? */
bool link_has_ended(const struct link *link);

enum status link_writev(struct link *link, const struct iovec *pieces,
                        unsigned count, size_t *written_out) MUST_USE;

/* Nothing more will be written: the client is told. */
void link_end_writing(struct link *link);

/* The events of libuv to wait for, of one that wants to do these. */
int link_events(const struct link *link, bool reads, bool writes);

#endif
