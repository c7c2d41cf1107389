/* metrics.h -- what is counted, in the words of the code.
 *
 * Each thread that counts has a block of its own, so counting costs no shared
 * cache line; a scrape adds them up. Figures that others own (journal,
 * registry, mailboxes) are asked for at the scrape.
 *
 * Threads   metrics_count: the block's owner. metrics_sum: any.
 * Memory    Blocks live in their owner, registered before threads start.
 * Units     In the table's help.
 * Errors    None.
 */
#ifndef TIDINGS_METRICS_H
#define TIDINGS_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

/* clang-format off */
/*           name                    type       help */
#define METRICS(METRIC)                                                                              \
    METRIC(connections_accepted,     "counter", "connections taken from the listeners")              \
    METRIC(connections_open,         "gauge",   "connections now")                                   \
    METRIC(connections_refused,      "counter", "connections closed at once: over a limit, and the reserve has no room") \
    METRIC(connections_reserved,     "gauge",   "connections in the reserve now: they may publish and ask for health") \
    METRIC(over_connections_max,     "counter", "connections over this limit, in the reserve or closed") \
    METRIC(over_connections_per_address, "counter", "the same, and requests of a proxy's clients over it") \
    METRIC(over_connections_per_second, "counter", "connections over this limit, in the reserve or closed") \
    METRIC(over_connections_per_address_per_second, "counter", "connections over this limit, in the reserve or closed") \
    METRIC(over_streams_per_subject, "counter", "streams and long-polls over this limit") \
    METRIC(over_publish_events_per_second, "counter", "publishes over this limit") \
    METRIC(over_publish_bytes_per_second, "counter", "publishes over this limit") \
    METRIC(over_publish_channels_per_second, "counter", "publishes over this limit") \
    METRIC(over_sessions_new_per_second, "counter", "new sessions over this limit") \
    METRIC(over_url_max_bytes,       "counter", "requests over this limit, answered 414") \
    METRIC(over_head_max_bytes,      "counter", "requests over this limit, answered 431") \
    METRIC(over_headers_max,         "counter", "requests over this limit, answered 431") \
    METRIC(over_body_max_bytes,      "counter", "requests with a body over its limit, answered 413") \
    METRIC(over_event_max_bytes,     "counter", "publishes over this limit, answered 413") \
    METRIC(over_selectors_max,       "counter", "subscribes over this limit, answered 400") \
    METRIC(over_sessions_max,        "counter", "new sessions over this limit, answered 503") \
    METRIC(over_channels_max,        "counter", "publishes over this limit, answered 507") \
    METRIC(proxy_headers_refused,    "counter", "connections closed for a PROXY header that was missing, late, malformed or not from a trusted proxy") \
    METRIC(reserve_refused,          "counter", "requests that a connection of the reserve may not make") \
    METRIC(requests,                 "counter", "requests whose head was routed")                    \
    METRIC(tls_handshakes,           "counter", "TLS handshakes that were completed")                \
    METRIC(tls_resumed,              "counter", "of these, resumed from an earlier session")         \
    METRIC(tls_handshakes_failed,    "counter", "TLS handshakes that came to nothing")               \
    METRIC(tls_handshakes_dropped,   "counter", "TLS handshakes under way that were given up for newer ones") \
    METRIC(tls_handshaking,          "gauge",   "TLS handshakes under way")                          \
    METRIC(tls_reloads,              "counter", "times a new certificate was taken")                 \
    METRIC(tls_reloads_failed,       "counter", "times a new certificate was of no use")             \
    METRIC(tls_certificate_expires,  "gauge",   "its end in unix seconds; 0: none")                  \
    METRIC(heads_refused,            "counter", "request heads answered 4xx before routing")         \
    METRIC(deadlines_missed,         "counter", "connections closed for a head, body or read too slow") \
    METRIC(subscribers,              "gauge",   "streams and waiting long-polls now")                \
    METRIC(subscribers_replaying,    "gauge",   "of these, reading from the journal")                \
    METRIC(websockets,               "gauge",   "streams that are WebSockets, now")                  \
    METRIC(websocket_messages,       "counter", "text messages of WebSocket clients")               \
    METRIC(websocket_violations,     "counter", "WebSockets closed for breaking RFC 6455")          \
    METRIC(deliveries,               "counter", "events queued for subscribers")                     \
    METRIC(replayed,                 "counter", "of these, read from the journal")                   \
    METRIC(demotions,                "counter", "live streams put back to replaying: reader too slow") \
    METRIC(overruns,                 "counter", "batches that a crew thread was too slow for")       \
    METRIC(ahead,                    "counter", "clients that had read more than this instance, and waited") \
    METRIC(gaps,                     "counter", "clients told that something is gone")               \
    METRIC(writes,                   "counter", "calls of write to sockets")                         \
    METRIC(bytes_written,            "counter", "bytes given to sockets")                            \
    METRIC(keepalives,               "counter", "keep-alives sent")                                  \
    METRIC(http_published,           "counter", "events accepted by HTTP")                           \
    METRIC(http_publish_refused,     "counter", "HTTP publishes answered 4xx or 5xx")                \
    METRIC(tokens_remembered,        "counter", "good tokens that were checked before, by the same thread")  \
    METRIC(tokens_refused,           "counter", "tokens that do not hold")                           \
    METRIC(tokens_malformed,         "counter", "of these, no tokens of a kind that is read here")   \
    METRIC(tokens_unsigned,          "counter", "of these, signed by no key that holds")             \
    METRIC(tokens_expired,           "counter", "of these, signed, and over")                        \
    METRIC(access_unauthorized,      "counter", "requests answered 401: a token is needed")          \
    METRIC(access_refused,           "counter", "requests answered 404: their token has no right to it, or it is not there") \
    METRIC(streams_expired,          "counter", "streams and waits ended because their token ends")  \
    METRIC(streams_revoked,          "counter", "streams and waits ended because a key was withdrawn") \
    METRIC(shutdown_active,          "gauge",   "1 while browsers are told to stay away")             \
    METRIC(shutdown_until,           "gauge",   "its end in unix seconds; 0: none")                   \
    METRIC(nats_received,            "counter", "messages from NATS")                                \
    METRIC(nats_rejected,            "counter", "of these, refused")                                 \
    METRIC(nats_dropped,             "counter", "messages that the NATS library dropped")            \
    METRIC(nats_answers_dropped,     "counter", "answers to NATS publishers that it was too slow to take")    \
    METRIC(nats_reconnects,          "counter", "times NATS was connected again")                    \
    METRIC(nats_connected,           "gauge",   "1 while connected to NATS")                          \
    METRIC(stream_sequence,          "gauge",   "newest sequence of the followed stream that is in the journal") \
    METRIC(stream_lag,               "gauge",   "messages that the stream has and the journal has not read") \
    METRIC(stream_redelivered,       "counter", "messages that came again and were left out")         \
    METRIC(stream_resets,            "counter", "times the stream's consumer was made anew")          \
    METRIC(stream_missing,           "counter", "times the stream no longer had what was not read yet") \
    METRIC(stream_rewinds,           "counter", "times the stream came back with an older tail")      \
    METRIC(stream_recreations,       "counter", "times there was another stream of that name")        \
    METRIC(stream_peers,             "gauge",   "other instances that follow the stream and were heard of lately") \
    METRIC(stream_alarm,             "gauge",   "1 while the stream cannot be followed, is sealed, or was rewound since the start") \
    METRIC(stream_published,         "counter", "events that the stream took from HTTP publishers")   \
    METRIC(stream_publish_failed,    "counter", "events that it did not acknowledge")                 \
    METRIC(stream_in_flight,         "gauge",   "events that wait for its acknowledgement") \
    METRIC(sessions_told,            "counter", "messages about sessions that the stream took")        \
    METRIC(sessions_alone,           "counter", "requests with a session that were served with what is known here alone, or refused, as the stream did not answer in time") \
    METRIC(sessions_malformed,       "counter", "messages under the subjects of sessions that no instance wrote") \
    METRIC(presence_told,            "counter", "counts and signs of life told to other instances")      \
    METRIC(presence_malformed,       "counter", "messages under presence_prefix that no instance wrote")
/* clang-format on */

enum metric {
#define METRIC(name, type, help) METRIC_##name,
    METRICS(METRIC)
#undef METRIC
        METRIC_COUNT
};

struct metrics {
    _Atomic int64_t value[METRIC_COUNT];
    struct metrics *next;
};

/* Before the owner's thread starts. */
void metrics_register(struct metrics *block);

static inline void metrics_add(struct metrics *block, enum metric metric,
                               int64_t by)
{
    /* One writer per block: a plain load and store, no locked instruction. */
    atomic_store_explicit(
        &block->value[metric],
        atomic_load_explicit(&block->value[metric], memory_order_relaxed) + by,
        memory_order_relaxed);
}

int64_t metrics_sum(enum metric metric);

/* Prometheus text of the table: `tidings_<name>`, counters `..._total`. */
struct buffer;
void metrics_append(struct buffer *out);

/* One figure that another chapter keeps, in the same form. */
void metrics_append_figure(struct buffer *out, const char *name,
                           const char *type, const char *help, uint64_t value);

#endif
