/* test_handoff.c -- civetweb accepts for us and reads what we lend, and that is
 * all it does. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <civetweb.h>
#include <civetweb_handoff.h>
#include <tidings/check.h>

#define PATIENCE_MS 20000

/* ---- a handoff whose fresh sockets come out of a pipe ---------------------
 */

struct world {
    struct handoff *handoff;
    int fresh_reader, fresh_writer;
};

static void on_accepted(void *arg, const struct handoff_socket *fresh)
{
    const struct world *world = arg;
    sigset_t blocked;

    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0);
    CHECK(sigismember(&blocked, SIGTERM) == 1); /* signals are main's */
    CHECK(write(world->fresh_writer, fresh, sizeof *fresh) == sizeof *fresh);
}

static int start(void **state)
{
    struct world *world = must_calloc(1, sizeof *world);
    const struct handoff_options options = {.listen = "127.0.0.1:0",
                                            .accepted = on_accepted,
                                            .accepted_arg = world};
    char why[200] = "";
    int ends[2];

    CHECK(pipe(ends) == 0);
    world->fresh_reader = ends[0];
    world->fresh_writer = ends[1];
    if (handoff_start(&options, &world->handoff, why, sizeof why) != ST_OK) {
        print_error("%s\n", why);
        return -1;
    }
    *state = world;
    return 0;
}

static int stop(void **state)
{
    struct world *world = *state;

    handoff_stop(&world->handoff);
    (void)close(world->fresh_reader);
    (void)close(world->fresh_writer);
    free(world);
    return 0;
}

static bool is_readable(int descriptor, int wait_ms)
{
    struct pollfd watched = {descriptor, POLLIN, 0};

    return poll(&watched, 1, wait_ms) == 1;
}

static struct handoff_socket take_fresh(const struct world *world)
{
    struct handoff_socket fresh;

    assert_true(is_readable(world->fresh_reader, PATIENCE_MS));
    assert_int_equal(read(world->fresh_reader, &fresh, sizeof fresh),
                     sizeof fresh);
    return fresh;
}

static void connect_socket(int descriptor, const struct world *world)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(handoff_port(world->handoff));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        connect(descriptor, (struct sockaddr *)&address, sizeof address), 0);
}

static int connect_to(const struct world *world)
{
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(descriptor >= 0);
    connect_socket(descriptor, world);
    return descriptor;
}

/* ---- accepting ------------------------------------------------------------
 */

static void fresh_sockets_do_not_block_and_know_their_ends(void **state)
{
    struct world *world = *state;
    const int client = connect_to(world);
    const struct handoff_socket fresh = take_fresh(world);
    struct sockaddr_in own, seen;
    socklen_t length = sizeof own;
    int no_delay = 0;
    char byte;

    assert_true((fcntl(fresh.descriptor, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fresh.descriptor, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(recv(fresh.descriptor, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);

    assert_int_equal(getsockname(client, (struct sockaddr *)&own, &length), 0);
    memcpy(&seen, &fresh.remote, sizeof seen);
    assert_int_equal(seen.sin_family, AF_INET);
    assert_int_equal(seen.sin_port, own.sin_port);
    memcpy(&seen, &fresh.local, sizeof seen);
    assert_int_equal(ntohs(seen.sin_port), handoff_port(world->handoff));

    length = sizeof no_delay;
    assert_int_equal(getsockopt(fresh.descriptor, IPPROTO_TCP, TCP_NODELAY,
                                &no_delay, &length),
                     0);
    assert_true(no_delay != 0);
    assert_false(fresh.is_tls);
    assert_false(fresh.is_redirect);
    (void)close(fresh.descriptor);
    (void)close(client);
}

static void every_connection_of_a_burst_is_handed_over(void **state)
{
    enum { BURST = 300 };
    struct world *world = *state;
    int client[BURST];

    for (unsigned i = 0; i < BURST; i++)
        client[i] = connect_to(world);
    for (unsigned i = 0; i < BURST; i++)
        (void)close(take_fresh(world).descriptor);
    for (unsigned i = 0; i < BURST; i++)
        (void)close(client[i]);
}

static void without_descriptors_the_connection_waits_for_one(void **state)
{
    struct world *world = *state;
    struct rlimit before, tight;
    const int client = connect_to(world);
    int later;

    (void)close(take_fresh(world).descriptor);
    (void)close(client);
    later = socket(AF_INET, SOCK_STREAM, 0); /* the last that there is */
    assert_true(later >= 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)later + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);

    connect_socket(later, world);
    assert_false(is_readable(world->fresh_reader, 100)); /* cannot come */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    (void)close(take_fresh(world).descriptor);
    (void)close(later);
}

static void a_taken_port_is_a_sentence(void **state)
{
    const struct world *world = *state;
    struct handoff_options options = {.accepted = on_accepted};
    struct handoff *second = NULL;
    char where[40], why[200] = "";

    snprintf(where, sizeof where, "127.0.0.1:%u",
             (unsigned)handoff_port(world->handoff));
    options.listen = where;
    assert_int_equal(handoff_start(&options, &second, why, sizeof why), ST_IO);
    assert_null(second);
    assert_non_null(strstr(why, where));
    assert_non_null(strstr(why, "in use"));
}

static void a_bad_address_is_a_sentence(void **state)
{
    const struct handoff_options options = {.listen = "no such:place",
                                            .accepted = on_accepted};
    struct handoff *second = NULL;
    char why[200] = "";

    (void)state;
    assert_int_equal(handoff_start(&options, &second, why, sizeof why), ST_IO);
    assert_true(strlen(why) > 20);
}

static void stopping_takes_milliseconds(void **state)
{
    const struct handoff_options options = {.listen = "127.0.0.1:0,127.0.0.1:0",
                                            .accepted = on_accepted};
    uint64_t longest_ns = 0;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        struct handoff *handoff;
        char why[200];
        uint64_t began;

        assert_int_equal(handoff_start(&options, &handoff, why, sizeof why),
                         ST_OK);
        began = uv_hrtime();
        handoff_stop(&handoff);
        assert_null(handoff);
        if (uv_hrtime() - began > longest_ns)
            longest_ns = uv_hrtime() - began;
    }
    print_message("longest stop: %u ms\n", (unsigned)(longest_ns / 1000000));
    assert_true(longest_ns < 1000000000); /* civetweb's own is up to two s */
}

static void the_caller_keeps_its_signals(void **state)
{
    sigset_t own;

    (void)state;
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &own), 0);
    assert_int_equal(sigismember(&own, SIGTERM), 0); /* ours are as before */
}

/* ---- civetweb's client -----------------------------------------------------
 */

/* Without a loan the hooks let everything through: a client of civetweb's gets
 * its answer, which the test writes on the socket that was handed over. */
struct visit {
    uint16_t port;
    int status;
    char body[64];
};

static void visit(void *arg)
{
    struct visit *visit = arg;
    char why[200] = "";
    struct mg_connection *connection =
        mg_download("127.0.0.1", visit->port, 0, why, sizeof why, "%s",
                    "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    int length = 0, got;

    CHECK(connection != NULL);
    visit->status = mg_get_response_info(connection)->status_code;
    while (length < (int)sizeof visit->body - 1 &&
           (got = mg_read(connection, visit->body + length,
                          sizeof visit->body - 1 - (size_t)length)) > 0)
        length += got;
    visit->body[length] = '\0';
    mg_close_connection(connection);
}

static void civetwebs_client_works_beside_it(void **state)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    struct world *world = *state;
    struct visit visit_of_ours = {handoff_port(world->handoff), 0, ""};
    struct handoff_socket fresh;
    uv_thread_t thread;
    char request[400];

    assert_int_equal(uv_thread_create(&thread, visit, &visit_of_ours), 0);
    fresh = take_fresh(world);
    assert_true(is_readable(fresh.descriptor, PATIENCE_MS));
    assert_true(recv(fresh.descriptor, request, sizeof request, 0) > 0);
    assert_int_equal(send(fresh.descriptor, answer, sizeof answer - 1, 0),
                     sizeof answer - 1);
    (void)close(fresh.descriptor);
    assert_int_equal(uv_thread_join(&thread), 0);
    assert_int_equal(visit_of_ours.status, 200);
    assert_string_equal(visit_of_ours.body, "hello");
}

static void the_version_is_one_that_we_know(void **state)
{
    (void)state;
    assert_true(strncmp(handoff_civetweb_version(), "1.1", 3) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_sockets_do_not_block_and_know_their_ends),
        cmocka_unit_test(every_connection_of_a_burst_is_handed_over),
        cmocka_unit_test(without_descriptors_the_connection_waits_for_one),
        cmocka_unit_test(a_taken_port_is_a_sentence),
        cmocka_unit_test(a_bad_address_is_a_sentence),
        cmocka_unit_test(stopping_takes_milliseconds),
        cmocka_unit_test(the_caller_keeps_its_signals),
        cmocka_unit_test(civetwebs_client_works_beside_it),
        cmocka_unit_test(the_version_is_one_that_we_know),
    };

    return cmocka_run_group_tests_name("handoff", tests, start, stop);
}
