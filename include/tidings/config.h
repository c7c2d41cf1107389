/* config.h -- every setting, once.
 *
 * The table is the truth: struct config, defaults, range checks, file,
 * environment and flag parsing, --help, --print-config and the sample file come
 * out of it. A setting cannot exist without a unit, a range and a sentence. One
 * whose unit is "secret" is never printed, and no flag: others can see those.
 *
 * Order of strength: flag `--name value`, environment TIDINGS_NAME, file,
 * default. A file has `name = value` lines, `#` comments, and sections
 * `[channel PATTERN]` with the settings of CHANNEL_SETTINGS.
 *
 * Threads   Loaded by main before others start; read-only from then on (any).
 * Memory    config_fini frees the strings.
 * Units     In the table: ms, s, bytes; in files a number may carry a unit
 *           (ms s m h d, K M G).
 * Errors    ST_BAD_INPUT with "file:line: sentence" in the caller's text.
 */
#ifndef TIDINGS_CONFIG_H
#define TIDINGS_CONFIG_H

#include <tidings/status.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* clang-format off */
/*          name                default         min  max            unit     help */
#define SETTINGS(NUMBER, FLAG, WORD, CHOICE)                                                                          \
    WORD  (listen,              "127.0.0.1:8080",                   "addr",   "address:port to serve HTTP on, or several with commas; port 0: any free one; empty: HTTPS only") \
    WORD  (listen_tls,          "",                                 "addr",   "the same for HTTPS; empty: none. One of the two must be there")  \
    WORD  (tls_certificate,     "",                                 "file",   "PEM: the certificate for HTTPS and the chain behind it; read again when it changes") \
    WORD  (tls_key,             "",                                 "file",   "PEM: its key, not readable by everybody; empty: in the same file") \
    FLAG  (tls_redirect,        false,                              "flag",   "requests that come without TLS are sent to HTTPS (308)")   \
    NUMBER(tls_public_port,     0,              0,   65535,         "port",   "where browsers find HTTPS, for redirects; 0: where it listens") \
    NUMBER(handshake_ms,        10000,          10,  600000,        "ms",     "time for a TLS handshake")                                 \
    NUMBER(handshakes_max,      4000,           1,   1000000,       "count",  "TLS handshakes under way; one more ends the oldest")       \
    FLAG  (insecure,            false,                              "flag",   "serve any address although nobody needs a token")          \
    WORD  (data,                "tidings-data",                     "dir",    "where the journal is kept; created if missing")            \
    WORD  (port_file,           "",                                 "file",   "the port really used is written here once ready")          \
    WORD  (tls_port_file,       "",                                 "file",   "the same for the port of HTTPS")                           \
    NUMBER(crew_threads,        0,              0,   64,            "count",  "threads that serve connections; 0: one per core")          \
    NUMBER(connections_max,     0,              0,   10000000,      "count",  "open connections in all; 0: what the system's limit of files allows") \
    NUMBER(connections_reserve, 64,             0,   100000,        "count",  "connections beyond the limits that may still publish and ask for health; within what the files allow") \
    NUMBER(connections_per_address, 0,          0,   10000000,      "count",  "of them from one address (IPv6: one /64); 0: three quarters of them") \
    NUMBER(connections_per_second, 10000,       0,   1000000,       "count",  "new ones in a second, a second's worth at once; 0: no limit") \
    NUMBER(connections_per_address_per_second, 5000, 0, 1000000,    "count",  "of them from one address; 0: no limit") \
    NUMBER(streams_per_subject, 1000,           0,   10000000,      "count",  "streams and waiting long-polls of one token subject; 0: no limit") \
    NUMBER(publish_events_per_second, 100000,   0,   1000000000,    "count",  "of one token subject, or of one address without one; a second's worth at once; 0: no limit") \
    NUMBER(publish_bytes_per_second, 134217728, 0,   1099511627776, "bytes",  "the same, in bytes of data")                               \
    NUMBER(publish_channels_per_second, 10000,  0,   1000000000,    "count",  "the same, in channels that are not there yet")              \
    NUMBER(sessions_new_per_second, 1000,       0,   1000000,       "count",  "new sessions of one token subject, or of one address without one; 0: no limit") \
    NUMBER(url_max_bytes,       8192,           128, 8192,          "bytes",  "path and query of one request")                            \
    NUMBER(head_max_bytes,      16384,          1024, 16384,        "bytes",  "request line and headers of one request")                  \
    NUMBER(headers_max,         64,             8,   64,            "count",  "headers of one request")                                   \
    NUMBER(reserve_ms,          2000,           10,  60000,         "ms",     "time for a request on a connection of the reserve, and for taking its answer") \
    WORD  (trusted_proxies,     "",                                 "networks", "proxies whose word about their clients' addresses is taken: addresses and networks, comma separated") \
    CHOICE(forwarded_header,    "x-forwarded-for", "x-forwarded-for|forwarded",   "where they write it: the header that all of them set")   \
    CHOICE(proxy_protocol,      "off", "off|on|http|https",                       "listeners where trusted proxies say a PROXY header first (version 1 or 2), and nobody else may come but this machine's programs") \
    NUMBER(first_id,            0,              0,   9007199254740991, "id",  "first id of a new journal; 0: unix seconds << 20")         \
    NUMBER(map_bytes,           68719476736,    1048576, 17592186044416, "bytes", "address space reserved for the journal")              \
    NUMBER(keep_age_ms,         604800000,      0,   315360000000,  "ms",     "events are kept so long; 0: no limit by age")              \
    NUMBER(keep_count,          0,              0,   1000000000000, "events", "kept per channel; 0: no limit by count")                   \
    NUMBER(keep_bytes,          1073741824,     0,   17592186044416, "bytes", "kept in all channels together; 0: no limit by size")       \
    NUMBER(dedup_window_ms,     86400000,       0,   2592000000,    "ms",     "how long a publisher's key is remembered")                 \
    NUMBER(channels_max,        1000000,        1,   100000000,     "count",  "distinct channels")                                        \
    NUMBER(sessions_max,        100000,         0,   10000000,      "count",  "sessions, whose position the server keeps; beyond it new ones are told 503") \
    NUMBER(event_max_bytes,     1048576,        1,   67108864,      "bytes",  "data of one event")                                        \
    NUMBER(body_max_bytes,      1048576,        1,   67108864,      "bytes",  "body of one request")                                      \
    NUMBER(journal_queue_events, 131072,        1,   16777216,      "events", "waiting for the journal; beyond it publishers are told 503") \
    NUMBER(journal_queue_bytes, 134217728,      1048576, 17179869184, "bytes", "the same by size")                                       \
    NUMBER(crew_queue_bytes,    67108864,       65536, 17179869184, "bytes",  "committed events waiting for a crew thread; beyond it its subscribers read them from the journal") \
    NUMBER(outbox_bytes,        262144,         4096, 268435456,    "bytes",  "waiting for one slow reader; beyond it the rest is read from the journal later") \
    NUMBER(spread_after,        1000,           1,   10000000,      "count",  "subscribers of a channel on one thread before it uses the others") \
    NUMBER(selectors_max,       64,             1,   4096,          "count",  "channels and patterns on one connection")                  \
    NUMBER(head_ms,             10000,          10,  600000,        "ms",     "time for a request's head")                                \
    NUMBER(body_ms,             30000,          10,  3600000,       "ms",     "time for a request's body")                                \
    NUMBER(stall_ms,            30000,          10,  3600000,       "ms",     "an answer that the client does not take for so long is cut off (streams never)") \
    NUMBER(idle_ms,             75000,          10,  3600000,       "ms",     "a kept-alive connection without a request is closed after") \
    NUMBER(retry_ms,            3000,           1,   3600000,       "ms",     "told to EventSource clients, varied by a fifth either way") \
    NUMBER(keepalive_ms,        15000,          10,  3600000,       "ms",     "a silent stream gets a keep-alive after")                  \
    FLAG  (keepalive_always,    false,                              "flag",   "keep-alives at that interval, silent or not")              \
    NUMBER(longpoll_ms,         25000,          1,   300000,        "ms",     "a long-poll without events is answered after")             \
    NUMBER(longpoll_busy_s,     5,              1,   3600,          "s",      "x-ps-reconnect-in for a second request with the same wait key") \
    FLAG  (gzip,                true,                               "flag",   "compress streams and answers for clients that take it") \
    WORD  (origins,             "",                                 "origins", "pages of these origins may subscribe and publish, comma separated; besides the server's own") \
    WORD  (token_keys,          "",                                 "files",  "keys that sign tokens, comma separated: files with PEM keys, a JWK or JWKS, or a secret; none and no token_secret: nobody needs a token") \
    WORD  (token_secret,        "",                                 "secret", "a secret that signs tokens (HS256), 32 bytes or more, as TIDINGS_TOKEN_SECRET; a flag would show it to everybody") \
    WORD  (token_issuer,        "",                                 "word",   "the claim iss that a token must have; empty: any or none") \
    WORD  (token_audience,      "",                                 "word",   "the claim aud that a token must have, perhaps among others; empty: any or none") \
    WORD  (anonymous_subscribe, "",                                 "selectors", "channels and patterns, comma separated, that need no token; empty: none") \
    WORD  (websocket_root,      "",                                 "channel", "a WebSocket at / gets this channel or pattern, as type and data; empty: there is none") \
    WORD  (shutdown,            "",                                 "windows", "browsers stay away in these windows of every week: Fri 17:00 .. Sun 17:00, Wed 02:00 .. Wed 02:30") \
    WORD  (shutdown_dates,      "",                                 "file",   "and in these: lines such as 2026-12-24 12:00 .. 2026-12-27 08:00") \
    CHOICE(admin,               "loopback", "loopback|token|off",             "who may use /admin: programs on this machine, with keys configured only those with a token that has the claim admin; whoever has such a token; or nobody") \
    NUMBER(drain_ms,            5000,           0,   600000,        "ms",     "streams are closed over this time at stop")                \
    WORD  (nats,                "",                                 "url",    "NATS servers, comma separated; empty: no NATS; tls:// wants TLS") \
    WORD  (nats_user,           "",                                 "name",   "who we are to NATS")                                       \
    WORD  (nats_password,       "",                                 "secret", "and the password of that user")                           \
    WORD  (nats_token,          "",                                 "secret", "in place of both, where NATS wants a token")               \
    WORD  (nats_credentials,    "",                                 "file",   "a .creds file: a user's JWT and seed")                     \
    WORD  (nats_nkey,           "",                                 "nkey",   "public key of a user, U...; goes with nats_nkey_seed")     \
    WORD  (nats_nkey_seed,      "",                                 "file",   "its seed, SU...")                                          \
    FLAG  (nats_tls,            false,                              "flag",   "never speak to NATS without TLS")                          \
    WORD  (nats_ca,             "",                                 "file",   "certificates that NATS servers are checked by; empty: the system's") \
    WORD  (nats_certificate,    "",                                 "file",   "our certificate, where NATS wants one; goes with nats_key") \
    WORD  (nats_key,            "",                                 "file",   "its key")                                                  \
    WORD  (nats_prefix,         "events",                           "subject", "the part of the subject before the channel")              \
    FLAG  (nats_rejected,       true,                               "flag",   "send what was refused to <prefix>_rejected.<reason>")      \
    WORD  (stream,              "",                                 "stream", "the JetStream stream that is the log of record and is followed; empty: core NATS") \
    WORD  (stream_start,        "all",                              "start",  "where a new journal begins in it: all, new, or since:TIME")  \
    FLAG  (stream_create,       false,                              "flag",   "make the stream if it is missing: on <nats_prefix>.>, kept as keep_age_ms and keep_bytes say") \
    NUMBER(stream_replicas,     1,              1,   5,             "count",  "servers that keep a stream made so")                        \
    NUMBER(stream_peers_ms,     1000,           0,   60000,         "ms",     "before the stream is read from a new connection, other instances are waited for that may know of it what this one does not") \
    NUMBER(stream_lag_max,      10000,          0,   1000000000000, "events", "not ready while the stream is so far ahead of the journal") \
    NUMBER(ahead_wait_ms,       5000,           0,   300000,        "ms",     "a client that has read more than this instance waits for it so long; 0: it is told a gap at once") \
    CHOICE(stream_ack,          "journal", "journal|stream",                  "an HTTP publish is answered when it is in this journal too, or once the stream has it") \
    NUMBER(stream_ack_ms,       5000,           10,  600000,        "ms",     "an HTTP publish that has no answer by then is told 503")     \
    NUMBER(stream_in_flight,    8192,           1,   1000000,       "events", "of HTTP publishers, waiting for the stream; beyond it they are told 503") \
    NUMBER(session_wait_ms,     2000,           10,  60000,         "ms",     "a request with a session waits so long for what other instances know of it; then it is served with what is known here, or refused") \
    NUMBER(session_messages_per_second, 50,     1,   100000,        "count",  "about one session, from this instance into the stream; what comes beyond it waits") \
    NUMBER(session_messages_in_all,     10000,  1,   1000000,       "count",  "the same about all sessions together, each second; what is owed waits, and so does a request") \
    FLAG  (presence,            false,                              "flag",   "tell NATS how many subscribe to each channel")              \
    WORD  (presence_prefix,     "tidings.presence",                 "subject", "the part of those subjects before the channel")           \
    NUMBER(presence_channels_max, 100000,       1,   100000000,     "count",  "channels whose subscribers are counted; further ones are not") \
    NUMBER(presence_quiet_ms,   1000,           1,   600000,        "ms",     "a channel's count is told at most once in this time")      \
    NUMBER(presence_heartbeat_ms, 2000,         10,  600000,        "ms",     "sign of life to other instances; who is silent for three of them is forgotten") \
    WORD  (instance,            "",                                 "name",   "our name among the instances, on NATS; empty: host, process and chance") \
    CHOICE(envelope,            "auto", "auto|always|never",                  "take type and data out of a NATS payload {\"type\":..,\"data\":..}") \
    FLAG  (core_dumps,          false,                              "flag",   "leave core files and debuggers as the system has them; they see keys and tokens") \
    CHOICE(log_format,          "text", "text|json",                          "form of the diagnostic log on standard error")             \
    CHOICE(log_level,           "info", "debug|info|warn|error",              "least level that is logged")

/*          name                default         min  max            unit     help */
#define CHANNEL_SETTINGS(NUMBER, CHOICE)                                                                              \
    NUMBER(keep_age_ms,         -1,             0,   315360000000,  "ms",     "as the setting of this name, for these channels")          \
    NUMBER(keep_count,          -1,             0,   1000000000000, "events", "as the setting of this name, for these channels")          \
    NUMBER(keep_bytes,          -1,             0,   17592186044416, "bytes", "kept of each of these channels")                           \
    CHOICE(keepalive,           "comment", "comment|message",                 "keep-alives as a comment or as data that the page sees") \
    CHOICE(gzip,                "on", "on|off",                               "as the setting of this name, for these channels")
/* clang-format on */

enum { LISTEN_MAX = 16 }; /* addresses in all */

/* What a pattern's section says; -1 / 0: not said there. */
struct channel_config {
    char *pattern;
#define NUMBER(name, initial, least, most, unit, help) int64_t name;
#define CHOICE(name, initial, choices, help)           const char *name;
    CHANNEL_SETTINGS(NUMBER, CHOICE)
#undef NUMBER
#undef CHOICE
};

struct config {
#define NUMBER(name, initial, least, most, unit, help) int64_t name;
#define FLAG(name, initial, unit, help)                bool name;
#define WORD(name, initial, unit, help)                char *name;
#define CHOICE(name, initial, choices, help)           const char *name; /* static */
    SETTINGS(NUMBER, FLAG, WORD, CHOICE)
#undef NUMBER
#undef FLAG
#undef WORD
#undef CHOICE
    struct channel_config *channels; /* in the file's order */
    unsigned channel_count;
};

void config_init(struct config *config); /* defaults */
void config_fini(struct config *config);

/* Reads defaults, then `--config FILE` (or tidings.conf here, if there), then
 * the environment, then the flags in argv[0..argc). Words that are no flags are
 * an error. `why` gets the sentence. The struct need not be initialised before;
 * on failure it holds nothing. */
enum status config_load(struct config *config, int argc, char **argv, char *why,
                        size_t why_bytes) MUST_USE;

/* All settings as a file that loads to the same. */
void config_print(const struct config *config, FILE *out);

/* The table as text for --help. */
void config_help(FILE *out);

/* The first section whose pattern covers the channel, or NULL. */
const struct channel_config *config_channel(const struct config *config,
                                            struct text channel);

/* Is each host that is listened on a loopback one? */
bool config_is_loopback(const struct config *config);

/* Each entry of a list of addresses in turn, from cursor 0; false: no more. */
bool config_next_address(const char *list, size_t *cursor,
                         struct text *address_out);
unsigned config_count_addresses(const char *list);

/* Do the settings of the listeners go together? */
enum status config_check_listeners(const struct config *config, char *why,
                                   size_t why_bytes) MUST_USE;

#endif
