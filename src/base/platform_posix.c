/* platform_posix.c -- the system calls that libuv does not cover.
 *
 * Written for Linux and, by the same calls, for macOS and the BSDs; Windows
 * gets a file of its own beside this one. Everything that differs between them
 * is here, so that no other file needs an #ifdef.
 *
 * Locks: the ordinary fcntl lock belongs to the process, so a second open in
 * the same process would seem to work, and closing either descriptor would drop
 * both. Where the system has locks of the open file (F_OFD_SETLK), they are
 * used; they end with the last descriptor, hence with the process, however it
 * dies. An ordinary lock is the fallback.
 *
 * Socket calls translate errno once and never raise SIGPIPE.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_OFD_SETLK, pthread_setname_np */
#endif

#include <tidings/platform.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef F_OFD_SETLK
#define LOCK_SET  F_OFD_SETLK
#define LOCK_TEST F_OFD_GETLK
#else
#define LOCK_SET  F_SETLK
#define LOCK_TEST F_GETLK
#endif

#ifndef MSG_NOSIGNAL /* macOS: platform_ignore_sigpipe does the same there */
#define MSG_NOSIGNAL 0
#endif

/* ---- the process and its threads ---------------------------------------- */

void platform_name_thread(const char *name)
{
    char cut[16];

    snprintf(cut, sizeof cut, "%s", name);
#if defined(__APPLE__)
    pthread_setname_np(cut);
#else
    (void)pthread_setname_np(pthread_self(), cut);
#endif
}

uint64_t platform_raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    if (limit.rlim_cur != limit.rlim_max) {
        const struct rlimit raised = {limit.rlim_max, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return (uint64_t)limit.rlim_cur;
}

void platform_forbid_core_dumps(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
#ifdef PR_SET_DUMPABLE /* also for a core_pattern that pipes, without a limit */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

bool platform_is_root(void)
{
    return geteuid() == 0;
}

void platform_ignore_sigpipe(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_IGN;
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGPIPE, &action, NULL);
}

void platform_block_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
}

void platform_unblock_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_UNBLOCK, &all, NULL);
}

/* ---- one process per data directory -------------------------------------- */

static struct flock whole_file(void)
{
    struct flock lock;

    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

enum status platform_lock_file(const char *path, int *descriptor_out)
{
    struct flock lock = whole_file();
    const int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (descriptor < 0)
        return ST_IO;
    if (fcntl(descriptor, LOCK_SET, &lock) != 0) {
        const int error = errno;
        (void)close(descriptor);
        return error == EAGAIN || error == EACCES ? ST_BUSY : ST_IO;
    }
    *descriptor_out = descriptor;
    return ST_OK;
}

void platform_unlock_file(int *descriptor)
{
    if (*descriptor >= 0)
        (void)close(*descriptor); /* which ends the lock */
    *descriptor = -1;
}

bool platform_is_locked(const char *path)
{
    struct flock lock = whole_file();
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    bool is_locked;

    if (descriptor < 0)
        return false;
    is_locked =
        fcntl(descriptor, LOCK_TEST, &lock) == 0 && lock.l_type != F_UNLCK;
    (void)close(descriptor);
    return is_locked;
}

/* ---- sockets that do not block ------------------------------------------- */

unsigned platform_writev_max(void)
{
#ifdef IOV_MAX
    return IOV_MAX;
#else
    return 1024;
#endif
}

static enum status from_errno(int error, enum status would_block)
{
    if (error == EAGAIN)
        return would_block;
    if (error == EPIPE || error == ECONNRESET || error == ENOTCONN ||
        error == ETIMEDOUT)
        return ST_CLOSED;
    return ST_IO;
}

enum status platform_writev(int descriptor, const struct iovec *pieces,
                            unsigned count, size_t *written_out)
{
    struct msghdr message;
    struct iovec *unchanged;
    ssize_t written;

    /* msg_iov is not const in POSIX although sendmsg only reads it. */
    memcpy(&unchanged, &pieces, sizeof unchanged);
    memset(&message, 0, sizeof message);
    message.msg_iov = unchanged;
    message.msg_iovlen = count;
    do {
        written = sendmsg(descriptor, &message, MSG_NOSIGNAL);
    } while (written < 0 && errno == EINTR);
    if (written < 0)
        return from_errno(errno, ST_FULL);
    *written_out = (size_t)written;
    return ST_OK;
}

void platform_limit_unsent(int descriptor, int bytes)
{
#ifdef TCP_NOTSENT_LOWAT
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes,
                     sizeof bytes);
#else
    (void)descriptor;
    (void)bytes;
#endif
}

static enum status receive(int descriptor, void *bytes, size_t room, int flags,
                           size_t *received_out)
{
    ssize_t received;

    do {
        received = recv(descriptor, bytes, room, flags);
    } while (received < 0 && errno == EINTR);
    if (received < 0)
        return from_errno(errno, ST_EMPTY);
    if (received == 0)
        return ST_CLOSED;
    *received_out = (size_t)received;
    return ST_OK;
}

enum status platform_recv(int descriptor, void *bytes, size_t room,
                          size_t *received_out)
{
    return receive(descriptor, bytes, room, 0, received_out);
}

enum status platform_peek(int descriptor, void *bytes, size_t room,
                          size_t *seen_out)
{
    return receive(descriptor, bytes, room, MSG_PEEK, seen_out);
}
