/* nats_link.h -- the connection to NATS and the one subscription.
 *
 * Connects for ever, also when no server is there at the start. "Ready" means
 * that the server has answered after it got the subscription: what is published
 * from then on comes here.
 *
 * Threads   open, unsubscribe, close: main. tick, publish, flush: the reply
 *           thread, or main when that has ended. is_ready, generation,
 *           missed, borrow, give_back: any.
 * Memory    Of its own. The message callback owns the message it is given.
 * Units     Milliseconds.
 * Errors    ST_BAD_INPUT a setting that the library refuses. ST_IO the library
 *           could not publish.
 */
#ifndef TIDINGS_NATS_LINK_H
#define TIDINGS_NATS_LINK_H

#include <tidings/nats_login.h>
#include <tidings/status.h>
#include <tidings/text.h>

#include <nats/nats.h>
#include <stdbool.h>

struct nats_link;

struct nats_link_options {
    struct nats_login login; /* its strings outlive the link */
    const char *subject;     /* subscribed; NULL: nothing is */
    natsMsgHandler on_message;
    void *arg;
};

enum status nats_link_open(const struct nats_link_options *options,
                           struct nats_link **link_out, char *why,
                           size_t why_bytes) MUST_USE;

bool nats_link_is_ready(const struct nats_link *link);

/* Odd while connected; another number after each loss and each return. */
unsigned nats_link_generation(const struct nats_link *link);

/* Another number when heartbeats of a consumer were missed. */
unsigned nats_link_missed(const struct nats_link *link);

/* The connection itself, for what the link has no call for: JetStream. NULL while
 * there is none, which is at the start, and after a server refused our login: the
 * library closes a connection for good then, and another one takes its place. As
 * long as it is borrowed it stays, closed or not; what was made with it is
 * destroyed before it is given back. Whoever borrows looks at the generation, and
 * when that has changed and borrow gives another connection, makes its things
 * anew. */
natsConnection *nats_link_borrow(struct nats_link *link);
void nats_link_give_back(struct nats_link *link);

/* Confirms the subscription after each connect, counts what was dropped, makes
 * a new connection when the library has given one up; to be called every now
 * and then. May wait for the network. */
void nats_link_tick(struct nats_link *link);

enum status nats_link_publish(struct nats_link *link, const char *subject,
                              struct text data) MUST_USE;

/* Waits until the server has everything that was published, if it is there. */
void nats_link_flush(struct nats_link *link);

/* No more messages: those that the library has are given to the callback first.
 * After it the callback does not run and will not. */
void nats_link_unsubscribe(struct nats_link *link);

void nats_link_close(struct nats_link **link);

#endif
