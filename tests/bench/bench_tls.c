/* bench_tls.c -- TLS for subscribers, by OpenSSL, without a look at certificates.
 *
 * A handshake blocks its reader for a millisecond or two, which only makes
 * connecting slower. As in the server, a read takes whole records, so nothing
 * stays inside and epoll's word can be relied on. Buffers are given back when
 * idle, else ten thousand clients would not fit.
 */
#include "bench_tls.h"

#include "bench_base.h"
#include "bench_net.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { RECORD_BYTES = 16384 };

static SSL_CTX *context;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_context(void)
{
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        bench_die("no TLS");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

/* A client is OpenSSL's SSL under another name. */
static SSL *ssl_of(struct tls_client *client)
{
    return (SSL *)(void *)client;
}

struct tls_client *tls_client_open(int fd)
{
    SSL *ssl;

    (void)pthread_once(&once, make_context);
    ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
        bench_die("no TLS client");
    net_set_blocking(fd, true);
    if (SSL_connect(ssl) != 1)
        bench_die("handshake: %s", ERR_reason_error_string(ERR_peek_error()));
    net_set_blocking(fd, false);
    (void)SSL_free_buffers(ssl);
    return (struct tls_client *)(void *)ssl;
}

void tls_client_close(struct tls_client **client)
{
    SSL_free(ssl_of(*client));
    *client = NULL;
}

ssize_t net_send(int fd, struct tls_client *client, const char *bytes,
                 size_t count)
{
    if (client == NULL)
        return send(fd, bytes, count, MSG_NOSIGNAL);
    return SSL_write(ssl_of(client), bytes, (int)count);
}

ssize_t net_receive(int fd, struct tls_client *client, char *bytes, size_t room)
{
    size_t received = 0;

    if (client == NULL)
        return recv(fd, bytes, room, 0);
    for (;;) { /* `room` is for a record at least */
        size_t now = 0;
        int result;

        ERR_clear_error();
        result = SSL_read_ex(ssl_of(client), bytes + received, room - received,
                             &now);
        received += now;
        if (result == 1 && room - received >= RECORD_BYTES)
            continue;
        if (received > 0)
            return (ssize_t)received;
        errno = EAGAIN;
        return SSL_get_error(ssl_of(client), result) == SSL_ERROR_WANT_READ ? -1
                                                                            : 0;
    }
}
