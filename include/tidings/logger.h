/* logger.h -- the diagnostic log: one line per thing worth telling an operator.
 *
 * key=value or JSON, to standard error. Values are escaped so that no
 * stranger's bytes can make a second line or a second field. (The durable log
 * is the journal, never called "log".)
 *
 * Threads   Any; one line is written in one call.
 * Memory    A line is built on the stack, cut at 2 KiB.
 * Units     None.
 * Errors    None: a line that cannot be written is lost.
 */
#ifndef TIDINGS_LOGGER_H
#define TIDINGS_LOGGER_H

#include <tidings/text.h>

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define LOG_LEVELS(LEVEL)                                                      \
    LEVEL(DEBUG, "debug")                                                      \
    LEVEL(INFO,  "info")                                                       \
    LEVEL(WARN,  "warn")                                                       \
    LEVEL(ERROR, "error")
/* clang-format on */

enum log_level {
#define LEVEL(name, text) LOG_##name,
    LOG_LEVELS(LEVEL)
#undef LEVEL
};

/* Before any thread starts. */
void logger_init(enum log_level least, bool is_json);

/* One field; made by the macros below. */
struct log_field {
    const char *key;
    enum { LOG_TEXT, LOG_NUMBER } kind;
    struct text text;
    int64_t number;
};

#define LOG_STR(key, string)                                                   \
    ((struct log_field){(key), LOG_TEXT, text_of(string), 0})
#define LOG_TXT(key, view) ((struct log_field){(key), LOG_TEXT, (view), 0})
#define LOG_NUM(key, value)                                                    \
    ((struct log_field){(key), LOG_NUMBER, {"", 0}, (int64_t)(value)})

/* `chapter` is the folder: "journal", "nats", "http"... `what` a fixed
 * sentence. logger_write(LOG_INFO, "journal", "opened", 2, (struct
 * log_field[]){...}) */
void logger_write(enum log_level level, const char *chapter, const char *what,
                  unsigned field_count, const struct log_field *fields);

#define LOG_LINE(level, chapter, what, ...)                                    \
    logger_write((level), (chapter), (what),                                   \
                 sizeof((struct log_field[]){__VA_ARGS__}) /                   \
                     sizeof(struct log_field),                                 \
                 (struct log_field[]){__VA_ARGS__})

/* For things that may happen a million times: true the first time, then at most
 * once a second; `suppressed_out` says how many were left out since. */
struct log_limit {
    int64_t next_ms;
    uint64_t suppressed;
};
bool logger_may(struct log_limit *limit, int64_t now_ms,
                uint64_t *suppressed_out);

#endif
