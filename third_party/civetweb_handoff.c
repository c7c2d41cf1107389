/* civetweb_handoff.c -- how civetweb is made to parse and route, and no more.
 *
 * Civetweb gives each connection a thread of its own for as long as it lives.
 * A server of a hundred thousand streams cannot pay that, and civetweb has no
 * call that would let it be otherwise. So civetweb.c is included here whole,
 * with the four system calls by which it meets the network replaced:
 *
 *   accept   On the master thread: takes all that waits at a listener, gives
 *            each fresh socket away by the `accepted` callback and tells
 *            civetweb that there was none. Its worker never gets one.
 *   poll     On the master thread: also waits for the end (a pipe), so that a
 *            stop takes milliseconds and not civetweb's two seconds. errno is
 *            cleared on success: 1.16 takes a stale EAGAIN for a failure, and
 *            then spins and never accepts.
 *   send     During a loan: into `answer` (a redirect to TLS; the text of an
 *            error is ours).
 *   recv, poll   During a loan: refused at once.
 *
 * A loan is what a worker of civetweb does with a connection, done by the
 * thread that owns a lender with the connection struct in it: the head is
 * copied into its buffer, process_new_connection() finds it complete, parses
 * it, cleans the path and calls begin_request, which is our handler. Then
 * `must_close` makes civetweb believe that this connection is over.
 *
 * What the borrower cannot do: it is never told a descriptor (the socket is
 * INVALID_SOCKET all the while), nor a TLS object, so it can neither block on
 * them nor close them. All it has is bytes and the two addresses.
 *
 * Threads without a loan that are not the master get the real calls: civetweb's
 * client (mg_connect_client and so on) works as it always did.
 *
 * The request line is looked at before (handoff_head.c): civetweb decodes the
 * target in place, and closes some forms of it without an answer.
 *
 * Out of descriptors, the master rests for some milliseconds: the listener
 * stays readable, and it would spin. Those who wait are served when others have
 * gone.
 *
 * All civetweb's threads run with every signal blocked: signals are main's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4, pthread_setname_np */
#endif

#include "civetweb_handoff.h"

#include "handoff_head.h"

/* Before the macros below, so that the declarations are not touched by them. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/logger.h>
#include <tidings/platform.h>

#define ACCEPT_BURST       64    /* of one listener before the others' turn */
#define REST_MS            20    /* out of descriptors */
#define LISTENERS_MAX      16    /* of one handoff */
#define HEAD_MAX_BYTES     32768 /* the lobby's limit is well below */
#define HEAD_MAX_BYTES_TXT "32768"

static int hooked_accept(int listener, struct sockaddr *address,
                         socklen_t *length);
static int hooked_poll(struct pollfd *watched, nfds_t count, int wait_ms);
static ssize_t hooked_send(int descriptor, const void *bytes, size_t length,
                           int flags);
static ssize_t hooked_recv(int descriptor, void *bytes, size_t room, int flags);

#define accept(listener, address, length)                                      \
    hooked_accept((listener), (address), (length))
#define poll(watched, count, wait_ms) hooked_poll((watched), (count), (wait_ms))
#define send(descriptor, bytes, length, flags)                                 \
    hooked_send((descriptor), (bytes), (length), (flags))
#define recv(descriptor, bytes, room, flags)                                   \
    hooked_recv((descriptor), (bytes), (room), (flags))

/* Built with NO_FILESYSTEMS, civetweb wants these two from us. */
#define MG_EXTERNAL_FUNCTION_mg_cry_internal_impl
#define MG_EXTERNAL_FUNCTION_log_access

#include "civetweb.c"

#undef accept
#undef poll
#undef send
#undef recv
#undef free /* civetweb forbids these to itself */
#undef snprintf

_Static_assert(CIVETWEB_VERSION_MAJOR == 1 && (CIVETWEB_VERSION_MINOR == 15 ||
                                               CIVETWEB_VERSION_MINOR == 16),
               "the fields used here were read in civetweb 1.15 and 1.16");
_Static_assert(sizeof(union usa) <= sizeof(struct sockaddr_storage),
               "an address of civetweb fits into the system's");

struct handoff {
    struct handoff_options options;   /* fixed at start */
    struct mg_context *context;       /* fixed at start */
    uint16_t port, tls_port;          /* fixed at start; 0: none */
    unsigned plain_count;             /* master: listeners before TLS's */
    int stop_reader, stop_writer;     /* fixed at start: a pipe */
    char complaint[256];              /* main, during start: civetweb's first */
    bool is_starting;                 /* main */
    struct log_limit refusals, rests; /* master */
};

struct handoff_lender {
    struct handoff *handoff;
    pthread_t owner; /* fixed at create: the only thread that may lend */
    struct mg_connection connection;
    struct mg_workerTLS identity; /* civetweb asks who its thread is */

    /* Of the present loan. */
    struct buffer *answer;
    handoff_handler_fn *handler;
    void *handler_arg;
    bool was_handled;
    bool is_asterisk; /* the target is `*`, lent as `/` */
    struct handoff_header headers[MG_MAX_HEADERS];
    char raw_path[HEAD_MAX_BYTES]; /* ended by NUL; then the authority, too */
    const char *authority;         /* of an absolute target, or empty */
};

/* What the calling thread is to the hooks; at most one of the two is set. */
static _Thread_local struct handoff *master_of;
static _Thread_local struct handoff_lender *borrower;

/* ---- the master's accept ------------------------------------------------- */

static int accept_nonblocking(int listener, union usa *remote)
{
    socklen_t length = sizeof *remote;

#ifdef SOCK_NONBLOCK
    return accept4(listener, &remote->sa, &length,
                   SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    const int fresh = accept(listener, &remote->sa, &length);

    if (fresh >= 0) {
        (void)fcntl(fresh, F_SETFL, O_NONBLOCK);
        (void)fcntl(fresh, F_SETFD, FD_CLOEXEC);
    }
    return fresh;
#endif
}

static void rest(void)
{
    const struct timespec pause = {0, REST_MS * 1000000L};

    (void)nanosleep(&pause, NULL);
}

/* True if another try may find another connection. */
static bool may_accept_after(struct handoff *handoff, int error)
{
    uint64_t suppressed;

    if (error == EAGAIN)
        return false;
    if (error != EMFILE && error != ENFILE && error != ENOBUFS &&
        error != ENOMEM)
        return true; /* that client is gone already, or a signal */
    if (logger_may(&handoff->rests, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_WARN, "civetweb", "cannot accept, connections wait",
                 LOG_STR("reason", strerror(error)),
                 LOG_NUM("suppressed", suppressed));
    rest();
    return false;
}

static bool is_welcome(struct handoff *handoff, const union usa *remote)
{
    uint64_t suppressed;

    if (check_acl(handoff->context, remote) == 1)
        return true;
    if (logger_may(&handoff->refusals, clock_monotonic_ms(&system_clock),
                   &suppressed))
        LOG_LINE(LOG_WARN, "civetweb", "address may not connect",
                 LOG_NUM("suppressed", suppressed));
    return false;
}

static const struct socket *find_listener(const struct mg_context *context,
                                          int descriptor)
{
    for (unsigned i = 0; i < context->num_listening_sockets; i++)
        if (context->listening_sockets[i].sock == descriptor)
            return &context->listening_sockets[i];
    check_failed("accept is called for listeners only", __FILE__, __LINE__);
}

static void set_options(int descriptor)
{
    const int on = 1;

    (void)setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static bool accept_one(struct handoff *handoff, const struct socket *listener)
{
    struct handoff_socket fresh;
    union usa remote;
    socklen_t length = sizeof fresh.local;

    memset(&remote, 0, sizeof remote);
    memset(&fresh, 0, sizeof fresh);
    fresh.descriptor = accept_nonblocking(listener->sock, &remote);
    if (fresh.descriptor < 0)
        return may_accept_after(handoff, errno);
    if (!is_welcome(handoff, &remote)) {
        (void)close(fresh.descriptor);
        return true;
    }
    memcpy(&fresh.remote, &remote, sizeof remote);
    (void)getsockname(fresh.descriptor, (struct sockaddr *)&fresh.local,
                      &length);
    set_options(fresh.descriptor);
    fresh.is_tls =
        listener >= handoff->context->listening_sockets + handoff->plain_count;
    fresh.is_redirect = listener->ssl_redir != 0;
    handoff->options.accepted(handoff->options.accepted_arg, &fresh);
    return true;
}

static int hooked_accept(int descriptor, struct sockaddr *address,
                         socklen_t *length)
{
    struct handoff *handoff = master_of;
    const struct socket *listener;
    unsigned tries = 0;

    if (handoff == NULL)
        return accept(descriptor, address, length);

    listener = find_listener(handoff->context, descriptor);
    while (tries < ACCEPT_BURST && accept_one(handoff, listener))
        tries += 1;
    errno = 0;
    return INVALID_SOCKET;
}

/* ---- poll, send, recv ---------------------------------------------------- */

/* As poll, and says "nothing" as soon as somebody wants the end: civetweb then
 * looks at its stop flag. */
static int poll_or_stop(const struct handoff *handoff, struct pollfd *watched,
                        nfds_t count, int wait_ms)
{
    struct pollfd all[LISTENERS_MAX + 1];
    int ready;

    CHECK(count <= LISTENERS_MAX);
    memcpy(all, watched, count * sizeof *watched);
    all[count].fd = handoff->stop_reader;
    all[count].events = POLLIN;
    all[count].revents = 0;

    ready = poll(all, count + 1, wait_ms);
    if (ready > 0 && all[count].revents != 0) {
        (void)poll(NULL, 0, 1); /* until mg_stop has set the flag */
        return 0;
    }
    memcpy(watched, all, count * sizeof *watched);
    return ready;
}

static int hooked_poll(struct pollfd *watched, nfds_t count, int wait_ms)
{
    int ready;

    if (borrower != NULL) {
        for (nfds_t i = 0; i < count; i++)
            watched[i].revents = 0;
        errno = EBADF;
        return -1;
    }
    if (master_of != NULL)
        ready = poll_or_stop(master_of, watched, count, wait_ms);
    else
        ready = poll(watched, count, wait_ms);
    if (ready >= 0)
        errno = 0;
    return ready;
}

static ssize_t hooked_send(int descriptor, const void *bytes, size_t length,
                           int flags)
{
    if (borrower == NULL)
        return send(descriptor, bytes, length, flags);
    buffer_append(borrower->answer, bytes, length);
    return (ssize_t)length;
}

static ssize_t hooked_recv(int descriptor, void *bytes, size_t room, int flags)
{
    if (borrower == NULL)
        return recv(descriptor, bytes, room, flags);
    errno = ECONNRESET;
    return -1;
}

/* ---- civetweb's callbacks ------------------------------------------------ */

static void on_context(const struct mg_context *context)
{
    struct handoff *handoff = context->user_data;

    /* The callback lends it as const; the ACL check wants it without. */
    memcpy(&handoff->context, &context, sizeof context);
}

static void set_nonblocking_listeners(const struct mg_context *context)
{
    for (unsigned i = 0; i < context->num_listening_sockets; i++) {
        const int descriptor = context->listening_sockets[i].sock;
        const int flags = fcntl(descriptor, F_GETFL);

        CHECK(fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0);
    }
}

static void *on_thread(const struct mg_context *context, int kind)
{
    const bool is_master = kind == 0;

    platform_name_thread(is_master ? "civetweb" : "civetweb-idle");
    if (is_master) {
        master_of = context->user_data;
        set_nonblocking_listeners(context);
        master_of->plain_count =
            context->num_listening_sockets - master_of->options.tls_count;
    }
    return NULL;
}

/* What civetweb complains about: at start the reason why it cannot, later a
 * line of the log. During a loan it would be about a client's bytes, and the
 * client is told. */
static int on_message(const struct mg_connection *connection,
                      const char *message)
{
    struct handoff *handoff = connection->phys_ctx->user_data;

    if (borrower != NULL)
        return 1;
    if (handoff->is_starting) {
        if (handoff->complaint[0] == '\0')
            snprintf(handoff->complaint, sizeof handoff->complaint, "%s",
                     message);
        return 1;
    }
    LOG_LINE(LOG_WARN, "civetweb", "civetweb complains",
             LOG_STR("message", message));
    return 1;
}

static void copy_headers(struct handoff_lender *lender,
                         const struct mg_request_info *info)
{
    for (int i = 0; i < info->num_headers; i++) {
        lender->headers[i].name = info->http_headers[i].name;
        lender->headers[i].value = info->http_headers[i].value;
        if (*lender->authority != '\0' &&
            strcasecmp(lender->headers[i].name, "Host") == 0)
            lender->headers[i].value = lender->authority;
    }
}

static int on_request(struct mg_connection *connection)
{
    struct handoff_lender *lender = borrower;
    const struct mg_request_info *info = &connection->request_info;
    struct handoff_request request;

    CHECK(lender != NULL && connection == &lender->connection);
    CHECK(!lender->was_handled);
    lender->was_handled = true;
    copy_headers(lender, info);
    request.method = info->request_method;
    request.path = lender->is_asterisk ? "*" : info->local_uri;
    request.raw_path = lender->raw_path;
    request.query = info->query_string != NULL ? info->query_string : "";
    request.http_version = info->http_version;
    request.headers = lender->headers;
    request.header_count = (unsigned)info->num_headers;
    lender->handler(lender->handler_arg, &request);

    connection->must_close = 1; /* so that it does not wait for another */
    return 200;
}

static void refuse(struct handoff_lender *lender, int status)
{
    const char *reason = mg_get_response_code_text(&lender->connection, status);
    struct buffer body;

    buffer_init(&body);
    buffer_printf(&body,
                  "{\"error\":\"bad_request\","
                  "\"message\":\"the request head is refused: %s\"}\n",
                  reason);
    buffer_printf(lender->answer,
                  "HTTP/1.1 %d %s\r\nContent-Type: application/json; "
                  "charset=utf-8\r\nContent-Length: %zu\r\n"
                  "Connection: close\r\n\r\n",
                  status, reason, body.length);
    buffer_append_text(lender->answer, buffer_text(&body));
    buffer_fini(&body);
}

/* Civetweb's own error page would begin with what it took for the version of
 * the request, and repeat more of it below. */
static int on_error(struct mg_connection *connection, int status,
                    const char *message)
{
    (void)message;
    CHECK(borrower != NULL && connection == &borrower->connection);
    refuse(borrower, status);
    connection->must_close = 1;
    return 0; /* handled */
}

static const struct mg_callbacks callbacks = {
    .begin_request = on_request,
    .http_error = on_error,
    .log_message = on_message,
    .init_context = on_context,
    .init_thread = on_thread,
};

/* ---- start and stop ------------------------------------------------------ */

/* The signals that a thread gets are inherited from who creates it. */
static struct mg_context *start_without_signals(struct mg_init_data *init,
                                                struct mg_error_data *error)
{
    struct mg_context *context;
    sigset_t all, before;

    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    context = mg_start2(init, error);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return context;
}

static enum status start_civetweb(struct handoff *handoff, char *why,
                                  size_t why_bytes)
{
    /* clang-format off */
    const char *settings[] = {
        "listening_ports",              handoff->options.listen,
        "listen_backlog",               "4096",
        "num_threads",                  "1", /* the least; it never works */
        "enable_keep_alive",            "yes",
        "tcp_nodelay",                  "1",
        "decode_url",                   "yes",
        "request_timeout_ms",           "1000",
        "max_request_size",             HEAD_MAX_BYTES_TXT,
        "access_control_allow_origin",  "", /* else civetweb answers */
        "access_control_allow_methods", "", /* preflights with `*` */
        NULL,
    };
    /* clang-format on */
    char text[256] = "";
    struct mg_init_data init = {&callbacks, handoff, settings};
    struct mg_error_data error;

    memset(&error, 0, sizeof error);
    error.text = text;
    error.text_buffer_size = sizeof text;
    handoff->is_starting = true;
    handoff->context = NULL;
    if (start_without_signals(&init, &error) == NULL) {
        snprintf(why, why_bytes, "cannot listen on %s: %s",
                 handoff->options.listen,
                 handoff->complaint[0] != '\0' ? handoff->complaint : text);
        return ST_IO;
    }
    handoff->is_starting = false;
    CHECK(handoff->context != NULL);
    return ST_OK;
}

static enum status open_pipe(struct handoff *handoff)
{
    int ends[2];

    if (pipe(ends) != 0)
        return ST_IO;
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    handoff->stop_reader = ends[0];
    handoff->stop_writer = ends[1];
    return ST_OK;
}

static void close_pipe(struct handoff *handoff)
{
    (void)close(handoff->stop_reader);
    (void)close(handoff->stop_writer);
}

/* Civetweb made one listener of each entry, in their order. */
static void learn_ports(struct handoff *handoff)
{
    struct mg_server_port ports[LISTENERS_MAX];
    const int count =
        mg_get_server_ports(handoff->context, LISTENERS_MAX, ports);

    const unsigned tls_count = handoff->options.tls_count;
    const unsigned plain_count = (unsigned)count - tls_count;

    CHECK(count > 0 && (unsigned)count >= tls_count);
    handoff->port = plain_count > 0 ? (uint16_t)ports[0].port : 0;
    handoff->tls_port = tls_count > 0 ? (uint16_t)ports[plain_count].port : 0;
}

enum status handoff_start(const struct handoff_options *options,
                          struct handoff **handoff_out, char *why,
                          size_t why_bytes)
{
    struct handoff *handoff = must_calloc(1, sizeof *handoff);
    enum status st;

    CHECK(options->accepted != NULL);
    handoff->options = *options;
    st = open_pipe(handoff);
    if (st != ST_OK) {
        snprintf(why, why_bytes, "cannot make a pipe: %s", strerror(errno));
        free(handoff);
        return st;
    }
    (void)mg_init_library(0);
    st = start_civetweb(handoff, why, why_bytes);
    if (st != ST_OK) {
        (void)mg_exit_library();
        close_pipe(handoff);
        free(handoff);
        return st;
    }
    learn_ports(handoff);
    *handoff_out = handoff;
    return ST_OK;
}

void handoff_stop(struct handoff **handoff)
{
    struct handoff *mine = *handoff;

    *handoff = NULL;
    if (mine == NULL)
        return;
    CHECK(write(mine->stop_writer, "", 1) == 1);
    mg_stop(mine->context);
    (void)mg_exit_library();
    close_pipe(mine);
    free(mine);
}

uint16_t handoff_port(const struct handoff *handoff)
{
    return handoff->port;
}

uint16_t handoff_tls_port(const struct handoff *handoff)
{
    return handoff->tls_port;
}

const char *handoff_civetweb_version(void)
{
    return mg_version();
}

/* ---- lenders ------------------------------------------------------------- */

struct handoff_lender *handoff_lender_create(struct handoff *handoff)
{
    struct handoff_lender *lender = must_calloc(1, sizeof *lender);
    struct mg_connection *connection = &lender->connection;

    lender->handoff = handoff;
    lender->owner = pthread_self();
    lender->identity.thread_idx = (unsigned)mg_atomic_inc(&thread_idx_max);
    CHECK(pthread_setspecific(sTlsKey, &lender->identity) == 0);

    connection->phys_ctx = handoff->context;
    connection->dom_ctx = &handoff->context->dd;
    connection->buf = must_malloc(HEAD_MAX_BYTES);
    connection->buf_size = HEAD_MAX_BYTES;
    connection->request_info.user_data = handoff;
    CHECK(pthread_mutex_init(&connection->mutex, &pthread_mutex_attr) == 0);
    return lender;
}

void handoff_lender_destroy(struct handoff_lender **lender)
{
    struct handoff_lender *mine = *lender;

    *lender = NULL;
    if (mine == NULL)
        return;
    CHECK(pthread_equal(mine->owner, pthread_self()));
    CHECK(pthread_setspecific(sTlsKey, NULL) == 0);
    reset_per_request_attributes(&mine->connection); /* frees the clean path */
    (void)pthread_mutex_destroy(&mine->connection.mutex);
    free(mine->connection.buf);
    free(mine);
}

/* ---- lending ------------------------------------------------------------- */

static void append_head(struct mg_connection *connection, struct text text)
{
    memcpy(connection->buf + connection->data_len, text.bytes, text.length);
    connection->data_len += (int)text.length;
}

/* Copies the head into civetweb's buffer, its target in the form that civetweb
 * routes. 0, or the status of the refusal. */
static int lay_out(struct handoff_lender *lender, struct text bytes)
{
    struct mg_connection *connection = &lender->connection;
    struct handoff_head head;
    int refusal;

    if (bytes.length + 2 > HEAD_MAX_BYTES) /* a slash and a NUL more */
        return 431;
    refusal = handoff_head_read(bytes, &head);
    if (refusal != 0)
        return refusal;
    append_head(connection, head.before);
    append_head(connection, head.slash);
    append_head(connection, head.target);
    append_head(connection, head.after);
    memcpy(lender->raw_path, head.path.bytes, head.path.length);
    snprintf(lender->raw_path + head.path.length, /* both are of one head */
             sizeof lender->raw_path - head.path.length, "%c%.*s", '\0',
             TEXT_ARGS(head.authority));
    lender->authority = lender->raw_path + head.path.length + 1;
    lender->is_asterisk = head.is_asterisk;
    return 0;
}

static void copy_address(union usa *to, const struct sockaddr_storage *from)
{
    memcpy(to, from, sizeof *to);
}

/* What a worker of civetweb does with a connection that it took. */
static void introduce(struct handoff_lender *lender,
                      const struct handoff_socket *socket)
{
    struct mg_connection *connection = &lender->connection;
    struct mg_request_info *info = &connection->request_info;

    connection->client.sock = INVALID_SOCKET;
    copy_address(&connection->client.lsa, &socket->local);
    copy_address(&connection->client.rsa, &socket->remote);
    connection->client.is_ssl = socket->is_tls;
    connection->client.ssl_redir = socket->is_redirect;
    connection->ssl = NULL;
    info->is_ssl = socket->is_tls;
    info->remote_port = ntohs(USA_IN_PORT_UNSAFE(&connection->client.rsa));
    info->server_port = ntohs(USA_IN_PORT_UNSAFE(&connection->client.lsa));
    init_connection(connection);
    connection->connection_type = CONNECTION_TYPE_REQUEST;
    connection->protocol_type = PROTOCOL_TYPE_HTTP1;
}

enum status handoff_lend(struct handoff_lender *lender, struct text head,
                         const struct handoff_socket *socket,
                         handoff_handler_fn *handler, void *handler_arg,
                         struct buffer *answer)
{
    const size_t before = answer->length;
    int refusal;

    CHECK(pthread_equal(lender->owner, pthread_self()));
    CHECK(borrower == NULL);
    lender->answer = answer;
    lender->handler = handler;
    lender->handler_arg = handler_arg;
    lender->was_handled = false;

    introduce(lender, socket);
    refusal = lay_out(lender, head);
    if (refusal == 0) {
        borrower = lender;
        process_new_connection(&lender->connection);
        borrower = NULL;
        if (lender->was_handled)
            return ST_OK;
        refusal = 400; /* for what civetweb closes without a word */
    }
    if (answer->length == before)
        refuse(lender, refusal);
    return ST_BAD_INPUT;
}
