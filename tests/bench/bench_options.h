/* bench_options.h -- what a run of the generator is told, once.
 *
 * Threads   Read by main before others start; read-only from then on.
 * Memory    Words point into argv.
 * Units     In the table.
 * Errors    An unknown name or a bad number is printed and ends the program.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/*          name          default     help */
#define OPTIONS(NUMBER, WORD)                                                                             \
    WORD  (kind,          "tidings",  "tidings or nchan: the dialect of positions")                       \
    NUMBER(port,          0,          "the server's HTTP port on 127.0.0.1")                              \
    NUMBER(tls,           0,          "1: subscribers come to it by TLS")                                  \
    NUMBER(nats,          0,          "publish to this NATS port; 0: by HTTP to the server")              \
    WORD  (pids,          "",         "processes whose CPU time is the server's: 12,34")                  \
    WORD  (channel,       "bench",    "the channel, or the first token of its names")                     \
    NUMBER(channels,      1,          "channels; subscriber i listens to channel i modulo this")          \
    NUMBER(subscribers,   0,          "connections that listen")                                          \
    NUMBER(longpoll,      0,          "1: they long-poll; 0: Server-Sent Events")                         \
    NUMBER(websocket,     0,          "1: they listen by WebSocket")                                      \
    NUMBER(readers,       2,          "threads that read for them")                                       \
    NUMBER(publish,       1,          "0: publish nothing, only connect")                                 \
    NUMBER(publishers,    1,          "HTTP connections that publish")                                    \
    NUMBER(depth,         1,          "requests under way on each of them")                               \
    NUMBER(lines,         1,          "events of a request; more than one: as NDJSON, to one channel")    \
    NUMBER(window,        0,          "hold when subscribers are so many events behind; 0: never")        \
    WORD  (behind,        "slowest",  "slowest or mean: whose progress the window counts")                \
    NUMBER(rate,          0,          "events per second; 0: flat out")                                   \
    NUMBER(event_bytes,   200,        "data of one event")                                                \
    NUMBER(latency,       0,          "1: measure publish to read for every delivery")                    \
    NUMBER(warmup_ms,     1000,       "published but not measured")                                       \
    NUMBER(measure_ms,    5000,       "the measured time")                                                \
    NUMBER(drain_ms,      10000,      "after it, what was published may take so long to arrive")          \
    NUMBER(slow,          0,          "of the subscribers, so many read slowly")                          \
    NUMBER(slow_bytes,    1024,       "bytes that a slow one reads in a second")                          \
    NUMBER(idle,          0,          "keep-alive connections that do nothing")                           \
    NUMBER(slow_heads,    0,          "connections that send a head, a byte a second")                    \
    NUMBER(slow_bodies,   0,          "connections that send a body, a byte a second")                    \
    NUMBER(hold,          0,          "1: wait for a line on stdin once connected and before the end")    \
    NUMBER(events,        1000000,    "fill: events to store")                                            \
    NUMBER(missed,        1000,       "fill, resume: events of the channel that is resumed")              \
    NUMBER(rounds,        15,         "resume: how often")
/* clang-format on */

struct options {
#define NUMBER(name, initial, help) int64_t name;
#define WORD(name, initial, help)   const char *name;
    OPTIONS(NUMBER, WORD)
#undef NUMBER
#undef WORD
};

void options_read(struct options *options, int argc, char **argv);

void options_help(void);

/* Is it Nchan that we talk to? */
bool options_nchan(const struct options *options);

#endif
