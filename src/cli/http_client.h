/* http_client.h -- asks a server by HTTP/1.1 and reads what comes, as it comes.
 *
 * For the commands in a terminal: one connection, one request after the other,
 * every call waits. Answers may be endless. `http://` and
 * `https://`, whose certificate must be one that the system trusts, or the file
 * in TIDINGS_CA. The token in the
 * environment TIDINGS_TOKEN goes with every request.
 *
 *   create -> ask -> read until ST_EMPTY -> ask ... -> destroy
 *
 * A connection that the server closed between two requests is opened again by
 * ask; a request that may have reached the server is never sent twice.
 *
 * Threads   main.
 * Memory    The client's; a reply is valid until the next ask.
 * Units     Milliseconds.
 * Errors    ST_CLOSED cannot be reached, or broke off; ST_TIMEOUT; ST_CORRUPT
 *           the answer is no HTTP; ST_BAD_INPUT the token is none. `http_client_why` has the sentence.
 */
#ifndef CLI_HTTP_CLIENT_H
#define CLI_HTTP_CLIENT_H

#include <tidings/buffer.h>
#include <tidings/status.h>

struct http_client;

struct http_field {
    const char *name, *value;
};

struct http_call {
    const char *method;
    struct text target; /* path and query, escaped; behind the URL's own path */
    const struct http_field *fields;
    unsigned field_count;
    struct text body; /* with bytes NULL: no body */
};

/* NULL: `url` is not http://host[:port][/path], nor with https. */
struct http_client *http_client_create(const char *url);
void http_client_destroy(struct http_client **client);

/* Sends and waits for the head of the answer. ST_OK whatever its status. */
enum status http_client_ask(struct http_client *client,
                            const struct http_call *call,
                            unsigned *http_status_out) MUST_USE;

/* A field of the answer's head; its names in any case. Empty: not there. */
struct text http_client_field(const struct http_client *client,
                              const char *name);

/* Appends what comes next of the body. ST_EMPTY: the body is over. */
enum status http_client_read(struct http_client *client, struct buffer *out,
                             unsigned wait_ms) MUST_USE;

/* All that is left of a body that must not be large (16 MiB). */
enum status http_client_read_all(struct http_client *client,
                                 struct buffer *out) MUST_USE;

/* What went wrong last, for people. */
const char *http_client_why(const struct http_client *client);

/* Appends `text` with everything escaped that has a meaning in a URL. */
void url_append_escaped(struct buffer *out, struct text text);

#endif
