/* tcp_link.c -- waits, made of libuv's callbacks.
 *
 * Each call starts one thing and runs the loop until its callback has set
 * `done` or the timer has set `is_late`. Nothing else happens on the loop, so
 * there is never more than one thing under way, and its request and buffers can
 * lie in the struct.
 *
 * With TLS the bytes go through a tls_caller on their way: what it wants to send
 * is sent after each step, and what came is fed to it.
 *
 * The timer repeats every few ms once it is due. It must: where its time comes
 * before the loop looks at the sockets, a timer that fired once would leave the
 * loop waiting for them without end.
 */
#include "tcp_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <tidings/check.h>
#include <tidings/tls.h>
#include <uv.h>

#define RECEIVE_BYTES 65536
#define AGAIN_MS      20

struct tcp_link {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_tcp_t tcp;
    bool is_open;
    struct tls_caller *tls; /* NULL: without */

    bool done, is_late; /* of what is under way */
    int result;         /* libuv's, below 0 for errors */
    uv_connect_t connecting;
    uv_write_t writing;
    struct buffer *received; /* the caller's, during receive */

    char why[200];
};

struct tcp_link *tcp_link_create(void)
{
    struct tcp_link *link = must_calloc(1, sizeof *link);

    CHECK(uv_loop_init(&link->loop) == 0);
    CHECK(uv_timer_init(&link->loop, &link->timer) == 0);
    link->timer.data = link;
    return link;
}

void tcp_link_destroy(struct tcp_link **link)
{
    struct tcp_link *mine = *link;

    *link = NULL;
    if (mine == NULL)
        return;
    tcp_link_shut(mine);
    uv_close((uv_handle_t *)&mine->timer, NULL);
    (void)uv_run(&mine->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&mine->loop) == 0);
    free(mine);
}

/* ---- waiting --------------------------------------------------------------
 */

static void on_alarm(uv_timer_t *timer)
{
    struct tcp_link *link = timer->data;

    link->is_late = true;
}

static void begin(struct tcp_link *link)
{
    link->done = false;
    link->is_late = false;
    link->result = 0;
}

static enum status wait(struct tcp_link *link, unsigned wait_ms)
{
    uv_update_time(&link->loop);
    CHECK(uv_timer_start(&link->timer, on_alarm, wait_ms, AGAIN_MS) == 0);
    while (!link->done && !link->is_late)
        (void)uv_run(&link->loop, UV_RUN_ONCE);
    (void)uv_timer_stop(&link->timer);
    if (!link->done) {
        snprintf(link->why, sizeof link->why, "no answer in time");
        return ST_TIMEOUT;
    }
    if (link->result < 0) {
        snprintf(link->why, sizeof link->why, "%s", uv_strerror(link->result));
        return ST_CLOSED;
    }
    return ST_OK;
}

static void on_shut(uv_handle_t *handle)
{
    struct tcp_link *link = handle->data;

    link->is_open = false;
}

void tcp_link_shut(struct tcp_link *link)
{
    tls_caller_destroy(&link->tls);
    if (!link->is_open)
        return;
    uv_close((uv_handle_t *)&link->tcp, on_shut);
    while (link->is_open)
        (void)uv_run(&link->loop, UV_RUN_ONCE);
}

bool tcp_link_is_open(const struct tcp_link *link)
{
    return link->is_open;
}

const char *tcp_link_why(const struct tcp_link *link)
{
    return link->why;
}

/* ---- open ------------------------------------------------------------------
 */

static void on_connected(uv_connect_t *request, int result)
{
    struct tcp_link *link = request->handle->data;

    link->result = result;
    link->done = true;
}

static enum status open_address(struct tcp_link *link,
                                const struct sockaddr *address,
                                unsigned wait_ms)
{
    enum status st;

    CHECK(uv_tcp_init(&link->loop, &link->tcp) == 0);
    link->tcp.data = link;
    link->is_open = true;
    begin(link);
    link->result =
        uv_tcp_connect(&link->connecting, &link->tcp, address, on_connected);
    link->done = link->result < 0;
    st = wait(link, wait_ms);
    if (st != ST_OK)
        tcp_link_shut(link);
    else
        (void)uv_tcp_nodelay(&link->tcp, 1);
    return st;
}

static enum status open_raw(struct tcp_link *link, const char *host,
                            const char *port, unsigned wait_ms)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t request;
    enum status st = ST_CLOSED;
    int error;

    tcp_link_shut(link);
    error = uv_getaddrinfo(&link->loop, &request, NULL, host, port, &hints);
    if (error < 0) {
        snprintf(link->why, sizeof link->why, "%s", uv_strerror(error));
        return ST_CLOSED;
    }
    for (const struct addrinfo *found = request.addrinfo;
         found != NULL && st != ST_OK; found = found->ai_next)
        st = open_address(link, found->ai_addr, wait_ms);
    uv_freeaddrinfo(request.addrinfo);
    return st;
}

/* ---- send ------------------------------------------------------------------
 */

static void on_written(uv_write_t *request, int result)
{
    struct tcp_link *link = request->handle->data;

    link->result = result;
    link->done = true;
}

static enum status send_raw(struct tcp_link *link, struct text bytes,
                            unsigned wait_ms)
{
    char *unchanged; /* uv_buf_t is not const, although uv_write only reads */
    uv_buf_t piece;
    enum status st;

    CHECK(link->is_open);
    memcpy(&unchanged, &bytes.bytes, sizeof unchanged);
    piece = uv_buf_init(unchanged, (unsigned)bytes.length);
    begin(link);
    link->result = uv_write(&link->writing, (uv_stream_t *)&link->tcp, &piece,
                            1, on_written);
    link->done = link->result < 0;
    st = wait(link, wait_ms);
    if (st != ST_OK)
        tcp_link_shut(link);
    return st;
}

/* ---- receive ---------------------------------------------------------------
 */

static void on_room_wanted(uv_handle_t *handle, size_t suggested,
                           uv_buf_t *room_out)
{
    struct tcp_link *link = handle->data;

    (void)suggested;
    *room_out = uv_buf_init(buffer_reserve(link->received, RECEIVE_BYTES),
                            RECEIVE_BYTES);
}

static void on_received(uv_stream_t *stream, ssize_t count,
                        const uv_buf_t *room)
{
    struct tcp_link *link = stream->data;

    (void)room;
    if (count == 0)
        return; /* nothing there after all */
    (void)uv_read_stop(stream);
    if (count > 0)
        link->received->length += (size_t)count;
    else
        link->result = (int)count;
    link->done = true;
}

static enum status receive_raw(struct tcp_link *link, struct buffer *out,
                               unsigned wait_ms)
{
    enum status st;

    if (!link->is_open)
        return ST_CLOSED;
    link->received = out;
    begin(link);
    link->result =
        uv_read_start((uv_stream_t *)&link->tcp, on_room_wanted, on_received);
    link->done = link->result < 0;
    st = wait(link, wait_ms);
    if (st == ST_TIMEOUT)
        (void)uv_read_stop((uv_stream_t *)&link->tcp);
    else if (st != ST_OK)
        tcp_link_shut(link);
    link->received = NULL;
    return st;
}

/* ---- TLS -------------------------------------------------------------------
 */

/* Sends what TLS has to send by now. */
static enum status send_taken(struct tcp_link *link, unsigned wait_ms)
{
    struct buffer bytes;
    enum status st = ST_OK;

    buffer_init(&bytes);
    tls_caller_take(link->tls, &bytes);
    if (bytes.length > 0)
        st = send_raw(link, buffer_text(&bytes), wait_ms);
    buffer_fini(&bytes);
    return st;
}

static enum status feed_more(struct tcp_link *link, unsigned wait_ms)
{
    struct buffer bytes;
    enum status st;

    buffer_init(&bytes);
    st = receive_raw(link, &bytes, wait_ms);
    if (st == ST_OK)
        tls_caller_feed(link->tls, buffer_text(&bytes));
    buffer_fini(&bytes);
    return st;
}

static enum status shake_hands(struct tcp_link *link, unsigned wait_ms)
{
    for (;;) {
        enum status st =
            tls_caller_handshake(link->tls, link->why, sizeof link->why);
        enum status sent = send_taken(link, wait_ms);

        if (st != ST_EMPTY)
            return st;
        if (sent != ST_OK)
            return sent;
        st = feed_more(link, wait_ms);
        if (st != ST_OK)
            return st;
    }
}

enum status tcp_link_open(struct tcp_link *link, const char *host,
                          const char *port, const struct tls_trust *trust,
                          unsigned wait_ms)
{
    enum status st = open_raw(link, host, port, wait_ms);

    if (st != ST_OK || trust == NULL)
        return st;
    st =
        tls_caller_create(host, trust, &link->tls, link->why, sizeof link->why);
    if (st == ST_OK)
        st = shake_hands(link, wait_ms);
    if (st != ST_OK)
        tcp_link_shut(link);
    return st == ST_OK || st == ST_TIMEOUT ? st : ST_CLOSED;
}

enum status tcp_link_send(struct tcp_link *link, struct text bytes,
                          unsigned wait_ms)
{
    if (link->tls == NULL)
        return send_raw(link, bytes, wait_ms);
    if (tls_caller_write(link->tls, bytes) == ST_OK)
        return send_taken(link, wait_ms);
    snprintf(link->why, sizeof link->why, "TLS has ended");
    tcp_link_shut(link);
    return ST_CLOSED;
}

enum status tcp_link_receive(struct tcp_link *link, struct buffer *out,
                             unsigned wait_ms)
{
    const uint64_t end_ms = uv_hrtime() / 1000000 + wait_ms;
    enum status st = ST_EMPTY;

    if (link->tls == NULL)
        return receive_raw(link, out, wait_ms);
    while (st == ST_EMPTY) {
        const uint64_t now_ms = uv_hrtime() / 1000000;

        st = tls_caller_read(link->tls, out);
        if (st == ST_EMPTY)
            st = feed_more(link,
                           now_ms < end_ms ? (unsigned)(end_ms - now_ms) : 0);
        else if (st == ST_CLOSED)
            tcp_link_shut(link);
        else
            return st;
        if (st == ST_OK)
            st = send_taken(link, wait_ms);
        if (st == ST_OK)
            st = ST_EMPTY; /* perhaps there is something to read now */
    }
    return st;
}
