/* bench_net.c -- sockets to the server under test.
 *
 * Many thousand connections to one port need more than one source address once
 * the ephemeral ports are used up; binding to 127.0.0.x without a port
 * (IP_BIND_ADDRESS_NO_PORT) leaves the choice of the port to connect().
 */
#define _GNU_SOURCE

#include "bench_net.h"

#include "bench_base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PER_ADDRESS 8000u

static void set_option(int fd, int level, int name, int value)
{
    if (setsockopt(fd, level, name, &value, sizeof value) != 0)
        bench_die("setsockopt %d: %s", name, strerror(errno));
}

static int new_socket(int flags)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd < 0)
        bench_die("socket: %s", strerror(errno));
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) != 0)
        bench_die("linger: %s", strerror(errno));
    return fd;
}

static struct sockaddr_in loopback(unsigned last, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(0x7f000000u | last);
    return address;
}

static int start_connect(int fd, unsigned port)
{
    struct sockaddr_in to = loopback(1, port);
    struct sockaddr any;

    memcpy(&any, &to, sizeof any);
    return connect(fd, &any, sizeof to);
}

int net_connect_begin(unsigned port, unsigned number, int receive_bytes)
{
    struct sockaddr_in from = loopback(1 + number / PER_ADDRESS, 0);
    struct sockaddr any;
    int fd = new_socket(SOCK_NONBLOCK);

    set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    memcpy(&any, &from, sizeof any);
    if (bind(fd, &any, sizeof from) != 0)
        bench_die("bind: %s", strerror(errno));
    if (receive_bytes > 0)
        set_option(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes);
    if (start_connect(fd, port) != 0 && errno != EINPROGRESS)
        bench_die("connect to port %u: %s", port, strerror(errno));
    return fd;
}

int net_connect(unsigned port)
{
    int fd = new_socket(0);

    if (start_connect(fd, port) == 0)
        return fd;
    close(fd);
    return -1;
}

void net_set_blocking(int fd, bool is_blocking)
{
    int flags = fcntl(fd, F_GETFL);

    flags = is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    if (fcntl(fd, F_SETFL, flags) != 0)
        bench_die("fcntl: %s", strerror(errno));
}

bool net_send_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}
