/* link.c -- the socket's calls, or TLS's.
 *
 * A plain link is the platform's calls on the descriptor. Closing one with TLS
 * says so to the client first (close_notify): without it an answer that ends
 * with the connection looks cut off.
 */
#include "link.h"

#include <tidings/platform.h>
#include <tidings/tls.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

void link_init(struct link *link, int descriptor)
{
    memset(link, 0, sizeof *link);
    link->descriptor = descriptor;
}

void link_close(struct link *link)
{
    if (link->tls != NULL) {
        tls_link_end(link->tls);
        tls_link_destroy(&link->tls);
    }
    (void)close(link->descriptor);
    link->descriptor = -1;
}

enum status link_read(struct link *link, void *bytes, size_t room,
                      size_t *received_out)
{
    enum status st;

    if (link->tls == NULL)
        return platform_recv(link->descriptor, bytes, room, received_out);
    st = tls_link_read(link->tls, bytes, room, received_out);
    link->read_wants_room = st == ST_FULL;
    return st == ST_FULL ? ST_EMPTY : st;
}

bool link_has_ended(const struct link *link)
{
    return link->tls != NULL && tls_link_has_ended(link->tls);
}

enum status link_writev(struct link *link, const struct iovec *pieces,
                        unsigned count, size_t *written_out)
{
    enum status st;

    if (link->tls == NULL)
        return platform_writev(link->descriptor, pieces, count, written_out);
    st = tls_link_writev(link->tls, pieces, count, written_out);
    link->write_wants_data = st == ST_EMPTY;
    return st == ST_EMPTY ? ST_FULL : st;
}

void link_end_writing(struct link *link)
{
    if (link->tls != NULL)
        tls_link_end(link->tls);
    (void)shutdown(link->descriptor, SHUT_WR);
}

int link_events(const struct link *link, bool reads, bool writes)
{
    int events = 0;

    if (reads)
        events |= link->read_wants_room ? UV_WRITABLE : UV_READABLE;
    if (writes)
        events |= link->write_wants_data ? UV_READABLE : UV_WRITABLE;
    return events;
}
