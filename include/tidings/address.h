/* address.h -- internet addresses in one form, and lists of networks.
 *
 * An IPv4 address is kept as the IPv6 address that maps it (::ffff:192.0.2.1),
 * so that a client is the same one on a listener of either family.
 *
 * Threads   Any.
 * Memory    Values. A network list is the caller's to free.
 * Units     Bits of a prefix, as written: 0 to 32 for IPv4, 0 to 128 for IPv6.
 * Errors    None: what is malformed is no address.
 */
#ifndef TIDINGS_ADDRESS_H
#define TIDINGS_ADDRESS_H

#include <tidings/buffer.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>

struct address {
    uint8_t bytes[16]; /* network order */
};

enum { ADDRESS_TEXT_MAX = 45 };

/* 192.0.2.1 or 2001:db8::1: no brackets, port, zone or space. */
bool address_parse(struct text text, struct address *address_out);

/* The same, and what proxies write around it: 192.0.2.1:80, [2001:db8::1],
 * [2001:db8::1]:80. */
bool address_parse_node(struct text text, struct address *address_out);

void address_append(struct buffer *out, const struct address *address);

struct address address_of_ipv4(const uint8_t bytes[4]);
bool address_is_ipv4(const struct address *address);
bool address_is_loopback(const struct address *address);
bool address_equals(const struct address *a, const struct address *b);

/* Who is counted as one client: an IPv4 address by itself; of IPv6 the /64,
 * since that is what one customer gets. */
struct address address_client(const struct address *address);

/* The address of a peer, without its port; and the other way, with port 0. */
struct sockaddr_storage;
struct address address_of_socket(const struct sockaddr_storage *socket);
void address_to_socket(const struct address *address,
                       struct sockaddr_storage *socket);

/* ---- networks: 10.0.0.0/8, 2001:db8::/32, 192.0.2.1 ---------------------- */

struct network {
    struct address address;
    uint8_t bits; /* of the sixteen bytes */
};

struct networks {
    struct network *rows;
    unsigned count;
};

/* Bits behind the prefix must be zero: 10.0.0.1/8 is a slip of the hand. */
bool network_parse(struct text text, struct network *network_out);
bool network_contains(const struct network *network,
                      const struct address *address);

/* With commas between, spaces around allowed; may be empty. */
bool network_list_is_valid(struct text list);

/* Of a valid list. */
void networks_init(struct networks *networks, struct text list);
void networks_fini(struct networks *networks);
bool networks_contain(const struct networks *networks,
                      const struct address *address);

#endif
