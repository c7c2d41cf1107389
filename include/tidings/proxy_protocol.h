/* proxy_protocol.h -- whom a proxy speaks for, said before the first byte of
 * the client (HAProxy's PROXY protocol, versions 1 and 2).
 *
 * Threads   Any.
 * Memory    Views of the caller's bytes.
 * Units     Bytes.
 * Errors    ST_EMPTY all of it is a beginning: more is needed. ST_BAD_INPUT it
 *           is no header.
 */
#ifndef TIDINGS_PROXY_PROTOCOL_H
#define TIDINGS_PROXY_PROTOCOL_H

#include <tidings/address.h>
#include <tidings/status.h>

enum { PROXY_HEADER_MAX_BYTES = 4096 }; /* with all that version 2 may append */

struct proxy_header {
    size_t bytes;          /* its length */
    bool has_address;      /* false: the proxy speaks for itself */
    struct address source; /* if it has one */
};

/* ST_OK: a header stands at the start of the bytes, which may go on. */
enum status proxy_header_parse(struct text bytes,
                               struct proxy_header *header_out) MUST_USE;

#endif
