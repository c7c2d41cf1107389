/* self_test.c -- does a fresh socket reach the lobby, and its head the handler?
 *
 * The hand-over of civetweb's sockets depends on its inside; if a version
 * behaves differently than the static assertions can see, this is where it
 * shows: a connection to our own port that asks for /healthz and must be told
 * 200.
 */
#include "self_test.h"

#include <tidings/admission.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char question[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                               "Connection: close\r\n\r\n";

/* The address that we listen on, or loopback for "all". */
static socklen_t find_address(const char *listen, uint16_t port,
                              struct sockaddr_storage *address)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                               .sin6_port = htons(port)};
    const char *colon = strrchr(listen, ':');
    char host[64] = "";

    if (colon != NULL && (size_t)(colon - listen) < sizeof host)
        memcpy(host, listen, (size_t)(colon - listen));
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
                         const struct sockaddr_storage *own)
{
    const struct address address = address_of_socket(own);

    return admissions_need_header(admissions, &address, false);
}

static bool say(int descriptor, const char *words)
{
    const size_t length = strlen(words);

    return send(descriptor, words, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static enum status ask(int descriptor, bool needs_header, char *answer,
                       size_t room)
{
    size_t length = 0;

    if ((needs_header && !say(descriptor, "PROXY UNKNOWN\r\n")) ||
        !say(descriptor, question))
        return ST_IO;
    while (length < room - 1) {
        ssize_t got = recv(descriptor, answer + length, room - 1 - length, 0);

        if (got < 0)
            return ST_TIMEOUT;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    answer[length] = '\0';
    return ST_OK;
}

enum status self_test(const struct admissions *admissions, const char *listen,
                      uint16_t port, unsigned within_ms, char *why,
                      size_t why_bytes)
{
    struct timeval limit = {within_ms / 1000, within_ms % 1000 * 1000};
    struct sockaddr_storage address;
    socklen_t length = find_address(listen, port, &address);
    char answer[1024] = "";
    int descriptor = socket(address.ss_family, SOCK_STREAM, 0);
    enum status st = ST_IO;

    if (descriptor >= 0) {
        (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit,
                         sizeof limit);
        (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit,
                         sizeof limit);
        if (connect(descriptor, (struct sockaddr *)&address, length) == 0)
            st = ask(descriptor, needs_header(admissions, &address), answer,
                     sizeof answer);
        close(descriptor);
    }
    if (st == ST_OK && strncmp(answer, "HTTP/1.1 200 ", 13) == 0)
        return ST_OK;
    (void)snprintf(why, why_bytes,
                   "the self-test failed: a request to our own port %u was "
                   "not answered 200",
                   (unsigned)port);
    return st == ST_OK ? ST_IO : st;
}
