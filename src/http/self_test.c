/* self_test.c -- does a fresh socket reach the lobby, and its head the handler?
 *
 * The hand-over of civetweb's sockets depends on its inside; if a version
 * behaves differently than the static assertions can see, this is where it
 * shows: a connection to our own port that asks for /healthz and must be told
 * 200.
 */
#include "self_test.h"

#include <tidings/admission.h>
#include <tidings/buffer.h>
#include <tidings/tls.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_BYTES = 1024 };

static const char question[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                               "Connection: close\r\n\r\n";

/* The first address that we listen on, or loopback for "all". */
static socklen_t find_address(const char *listen, uint16_t port,
                              struct sockaddr_storage *address)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                               .sin6_port = htons(port)};
    size_t length = strcspn(listen, ",");
    char host[64] = "";

    while (length > 0 && listen[length] != ':')
        length--;
    if (length < sizeof host)
        memcpy(host, listen, length);
    if (host[0] == '[') {
        host[strlen(host) - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &six.sin6_addr) != 1 ||
            IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr))
            six.sin6_addr = in6addr_loopback;
        memcpy(address, &six, sizeof six);
        return sizeof six;
    }
    if (inet_pton(AF_INET, host, &four.sin_addr) != 1 ||
        four.sin_addr.s_addr == htonl(INADDR_ANY))
        four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(address, &four, sizeof four);
    return sizeof four;
}

/* Who comes to an address of this machine comes from it. */
static bool needs_header(const struct admissions *admissions,
                         const struct sockaddr_storage *own, bool is_tls)
{
    const struct address address = address_of_socket(own);

    return admissions_need_header(admissions, &address, is_tls);
}

static enum status send_all(int descriptor, struct text bytes)
{
    return send(descriptor, bytes.bytes, bytes.length, MSG_NOSIGNAL) ==
                   (ssize_t)bytes.length
               ? ST_OK
               : ST_IO;
}

/* What comes next, appended. */
static enum status receive(int descriptor, struct buffer *out)
{
    const ssize_t got =
        recv(descriptor, buffer_reserve(out, ANSWER_BYTES), ANSWER_BYTES, 0);

    if (got < 0)
        return ST_TIMEOUT;
    if (got == 0)
        return ST_CLOSED;
    out->length += (size_t)got;
    return ST_OK;
}

static enum status ask_plainly(int descriptor, struct buffer *answer)
{
    enum status st = send_all(descriptor, text_of(question));

    while (st == ST_OK && answer->length < ANSWER_BYTES)
        st = receive(descriptor, answer);
    return st == ST_CLOSED ? ST_OK : st;
}

/* What the caller wants to send goes out, what comes is fed to it. */
static enum status exchange(int descriptor, struct tls_caller *caller)
{
    struct buffer bytes;
    enum status st;

    buffer_init(&bytes);
    tls_caller_take(caller, &bytes);
    st = send_all(descriptor, buffer_text(&bytes));
    bytes.length = 0;
    if (st == ST_OK)
        st = receive(descriptor, &bytes);
    if (st == ST_OK)
        tls_caller_feed(caller, buffer_text(&bytes));
    buffer_fini(&bytes);
    return st;
}

static enum status converse(int descriptor, struct tls_caller *caller,
                            struct buffer *answer)
{
    char why[100];
    enum status st = tls_caller_handshake(caller, why, sizeof why);

    while (st == ST_EMPTY) {
        st = exchange(descriptor, caller);
        if (st == ST_OK)
            st = tls_caller_handshake(caller, why, sizeof why);
    }
    if (st == ST_OK)
        st = tls_caller_write(caller, text_of(question));
    while (st == ST_OK && answer->length < ANSWER_BYTES) {
        st = tls_caller_read(caller, answer);
        if (st == ST_EMPTY)
            st = exchange(descriptor, caller);
    }
    return st == ST_CLOSED && answer->length > 0 ? ST_OK : st;
}

static enum status ask_by_tls(int descriptor, struct buffer *answer)
{
    const struct tls_trust trust = {.is_anybody = true};
    struct tls_caller *caller = NULL;
    char why[100];
    enum status st;

    st = tls_caller_create("localhost", &trust, &caller, why, sizeof why);
    if (st == ST_OK)
        st = converse(descriptor, caller, answer);
    tls_caller_destroy(&caller);
    return st;
}

static bool is_served(struct text answer)
{
    return answer.length > 13 &&
           (memcmp(answer.bytes, "HTTP/1.1 200 ", 13) == 0 ||
            memcmp(answer.bytes, "HTTP/1.1 308 ", 13) == 0);
}

enum status self_test(const struct admissions *admissions, const char *listen,
                      uint16_t port, bool is_tls, unsigned within_ms, char *why,
                      size_t why_bytes)
{
    struct timeval limit = {within_ms / 1000, within_ms % 1000 * 1000};
    struct sockaddr_storage address;
    socklen_t length = find_address(listen, port, &address);
    int descriptor = socket(address.ss_family, SOCK_STREAM, 0);
    struct buffer answer;
    enum status st = ST_IO;

    buffer_init(&answer);
    if (descriptor >= 0) {
        (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit,
                         sizeof limit);
        (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit,
                         sizeof limit);
        if (connect(descriptor, (struct sockaddr *)&address, length) == 0)
            st = ST_OK;
        if (st == ST_OK && needs_header(admissions, &address, is_tls))
            st = send_all(descriptor, text_of("PROXY UNKNOWN\r\n"));
        if (st == ST_OK)
            st = is_tls ? ask_by_tls(descriptor, &answer)
                        : ask_plainly(descriptor, &answer);
        close(descriptor);
    }
    if (st == ST_OK && !is_served(buffer_text(&answer)))
        st = ST_IO;
    buffer_fini(&answer);
    if (st == ST_OK)
        return ST_OK;
    (void)snprintf(why, why_bytes,
                   "the self-test failed: a request to our own port %u was "
                   "not answered 200",
                   (unsigned)port);
    return st;
}
