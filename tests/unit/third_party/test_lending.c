/* test_lending.c -- what civetweb makes of the heads that we lend it, what it
 * cannot do meanwhile, and what a loan costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include <civetweb_handoff.h>
#include <tidings/check.h>

static void on_accepted(void *arg, const struct handoff_socket *fresh)
{
    (void)arg;
    (void)fresh; /* nobody connects in these tests */
    CHECK(!"a connection");
}

static int start(void **state)
{
    const struct handoff_options options = {.listen = "127.0.0.1:0",
                                            .accepted = on_accepted};
    struct handoff *handoff = NULL;
    char why[200] = "";

    if (handoff_start(&options, &handoff, why, sizeof why) != ST_OK) {
        print_error("%s\n", why);
        return -1;
    }
    *state = handoff;
    return 0;
}

static int stop(void **state)
{
    struct handoff *handoff = *state;

    handoff_stop(&handoff);
    return 0;
}

/* ---- lending: what the handler sees ---------------------------------------
 */

struct seen {
    unsigned calls;
    char method[32], path[600], raw_path[600], query[200], version[8];
    unsigned header_count;
    char last_name[100], last_value[300];
};

static void copy(char *to, size_t room, const char *from)
{
    CHECK(strlen(from) < room);
    memcpy(to, from, strlen(from) + 1);
}

static void on_request(void *arg, const struct handoff_request *request)
{
    struct seen *seen = arg;

    seen->calls += 1;
    copy(seen->method, sizeof seen->method, request->method);
    copy(seen->path, sizeof seen->path, request->path);
    copy(seen->raw_path, sizeof seen->raw_path, request->raw_path);
    copy(seen->query, sizeof seen->query, request->query);
    copy(seen->version, sizeof seen->version, request->http_version);
    seen->header_count = request->header_count;
    if (request->header_count > 0) {
        const struct handoff_header *last =
            &request->headers[request->header_count - 1];
        copy(seen->last_name, sizeof seen->last_name, last->name);
        copy(seen->last_value, sizeof seen->last_value, last->value);
    }
}

static const struct handoff_socket
    nowhere; /* zeroed: descriptor 0, no family */

/* clang-format off */
static const struct {
    const char *head;
    const char *method, *path, *raw_path, *query, *version;
    unsigned header_count;
    const char *last_name, *last_value;
} heard[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/", "/", "", "1.1", 1, "Host", "a"},
    {"GET /events/cheese HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 12\r\n\r\n",
     "GET", "/events/cheese", "/events/cheese", "", "1.1", 2, "Last-Event-ID", "12"},
    {"GET /events/a%2Cb?x=%20y&z HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/events/a,b", "/events/a%2Cb", "x=%20y&z", "1.1", 1, "Host", "a"},
    {"GET /a? HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/a", "/a", "", "1.1", 1, "Host", "a"},
    {"GET /a?b?c HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/a", "/a", "b?c", "1.1", 1, "Host", "a"},
    {"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n",
     "HEAD", "/a", "/a", "", "1.1", 1, "Host", "a"},
    {"OPTIONS /events/a HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: GET\r\n\r\n",
     "OPTIONS", "/events/a", "/events/a", "", "1.1", 3, "Access-Control-Request-Method", "GET"},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS", "*", "*", "", "1.1", 1, "Host", "a"},
    {"POST /publish/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
     "POST", "/publish/a", "/publish/a", "", "1.1", 2, "Content-Length", "5"},
    {"POST /publish/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
     "POST", "/publish/a", "/publish/a", "", "1.1", 2, "Transfer-Encoding", "chunked"},
    {"POST /publish/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
     "POST", "/publish/a", "/publish/a", "", "1.1", 3, "Expect", "100-continue"},
    {"PUT /publish/a/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
     "PUT", "/publish/a/7", "/publish/a/7", "", "1.1", 2, "Content-Length", "5"},
    {"DELETE /publish/a/7 HTTP/1.1\r\nHost: a\r\n\r\n",
     "DELETE", "/publish/a/7", "/publish/a/7", "", "1.1", 1, "Host", "a"},
    {"GET /events/a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
     "GET", "/events/a", "/events/a", "", "1.1", 5, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
    {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
     "GET", "/a", "/a", "", "1.1", 3, "Upgrade", "h2c"},
    {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
     "GET", "/a", "/a", "", "1.1", 2, "Connection", "upgrade"},
    {"GET /a HTTP/1.0\r\n\r\n",
     "GET", "/a", "/a", "", "1.0", 0, "", ""},
    {"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     "GET", "/a", "/a", "", "1.0", 1, "Connection", "keep-alive"},
    {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
     "GET", "/a", "/a", "", "1.1", 2, "Connection", "close"},
    {"GET /x/../y/./z HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/y/z", "/x/../y/./z", "", "1.1", 1, "Host", "a"},
    {"GET /x/%2e%2e/%2e%2e/y HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/y", "/x/%2e%2e/%2e%2e/y", "", "1.1", 1, "Host", "a"},
    {"GET //events//a HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/events/a", "//events//a", "", "1.1", 1, "Host", "a"},
    {"GET /%C3%A9 HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/\xc3\xa9", "/%C3%A9", "", "1.1", 1, "Host", "a"},
    {"GET /100% HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/100%", "/100%", "", "1.1", 1, "Host", "a"},
    {"GET http://elsewhere.example:99/a?b HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/a", "/a", "b", "1.1", 1, "Host", "elsewhere.example:99"},
    {"GET HTTPS://elsewhere.example HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/", "/", "", "1.1", 1, "Host", "elsewhere.example"},
    {"GET http://elsewhere.example?b HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/", "/", "b", "1.1", 1, "Host", "elsewhere.example"},
    {"\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/a", "/a", "", "1.1", 1, "Host", "a"},
    {"\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET", "/a", "/a", "", "1.1", 1, "Host", "a"},
    {"GET /a HTTP/1.1\r\nHost: a\r\nX:   spaces   \r\n\r\n",
     "GET", "/a", "/a", "", "1.1", 2, "X", "spaces   "},
    {"GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a.b.c\r\n\r\n",
     "GET", "/a", "/a", "", "1.1", 2, "Authorization", "Bearer a.b.c"},
    {"PROPFIND /a HTTP/1.1\r\nHost: a\r\n\r\n",
     "PROPFIND", "/a", "/a", "", "1.1", 1, "Host", "a"},
};

static const struct {
    const char *head, *answer; /* how the answer starts */
} refused[] = {
    {"BREW /a HTTP/1.1\r\nHost: a\r\n\r\n",           "HTTP/1.1 400 "},
    {"get /a HTTP/1.1\r\nHost: a\r\n\r\n",            "HTTP/1.1 400 "},
    {"GET /a HTTP/2.0\r\nHost: a\r\n\r\n",            "HTTP/1.1 505 "},
    {"GET /a FTP/1.1\r\nHost: a\r\n\r\n",             "HTTP/1.1 400 "},
    {"GET /a\r\nHost: a\r\n\r\n",                     "HTTP/1.1 400 "},
    {"GET\r\n\r\n",                                   "HTTP/1.1 400 "},
    {"nonsense",                                      "HTTP/1.1 400 "},
    {"",                                              "HTTP/1.1 400 "},
    {"\r\n\r\n",                                      "HTTP/1.1 400 "},
    {"GET /a HTTP/1.1\r\nHost a\r\n\r\n",             "HTTP/1.1 400 "},
    {"GET /a HTTP/1.1\r\nHost: a\tb\r\n\r\n",         "HTTP/1.1 400 "},
    {"GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 411 "},
    {"GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 400 "},
    {"GET a HTTP/1.1\r\nHost: a\r\n\r\n",             "HTTP/1.1 400 "},
    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n",             "HTTP/1.1 400 "},
    {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",      "HTTP/1.1 400 "},
    {"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",     "HTTP/1.1 400 "},
    {"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n",        "HTTP/1.1 400 "},
    {"GET /a%0d%0ab HTTP/1.1\r\nHost: a\r\n\r\n",     "HTTP/1.1 400 "},
    {"GET /a%7F HTTP/1.1\r\nHost: a\r\n\r\n",         "HTTP/1.1 400 "},
    {"GET /a HTTP/1.1\r\nHost: a\r\n",                "HTTP/1.1 400 "},
};
/* clang-format on */

static void the_handler_sees_what_was_sent(void **state)
{
    struct handoff_lender *lender = handoff_lender_create(*state);
    struct buffer answer;

    buffer_init(&answer);
    for (unsigned i = 0; i < sizeof heard / sizeof heard[0]; i++) {
        struct seen seen;

        memset(&seen, 0, sizeof seen);
        if (handoff_lend(lender, text_of(heard[i].head), &nowhere, on_request,
                         &seen, &answer) != ST_OK)
            print_error("refused: %s%.*s\n", heard[i].head,
                        TEXT_ARGS(buffer_text(&answer)));
        assert_int_equal(seen.calls, 1);
        assert_int_equal(answer.length, 0);
        assert_string_equal(seen.method, heard[i].method);
        assert_string_equal(seen.path, heard[i].path);
        assert_string_equal(seen.raw_path, heard[i].raw_path);
        assert_string_equal(seen.query, heard[i].query);
        assert_string_equal(seen.version, heard[i].version);
        assert_int_equal(seen.header_count, heard[i].header_count);
        assert_string_equal(seen.last_name, heard[i].last_name);
        assert_string_equal(seen.last_value, heard[i].last_value);
    }
    buffer_fini(&answer);
    handoff_lender_destroy(&lender);
    assert_null(lender);
}

static void a_refused_head_is_answered_and_reaches_no_handler(void **state)
{
    struct handoff_lender *lender = handoff_lender_create(*state);

    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct buffer answer;
        struct seen seen;
        const size_t length = strlen(refused[i].answer);

        buffer_init(&answer);
        memset(&seen, 0, sizeof seen);
        assert_int_equal(handoff_lend(lender, text_of(refused[i].head),
                                      &nowhere, on_request, &seen, &answer),
                         ST_BAD_INPUT);
        assert_int_equal(seen.calls, 0);
        if (answer.length < length ||
            memcmp(answer.bytes, refused[i].answer, length) != 0)
            fail_msg("%s got: %.*s", refused[i].head,
                     TEXT_ARGS(buffer_text(&answer)));
        buffer_fini(&answer);
    }
    handoff_lender_destroy(&lender);
}

static void sixty_four_headers_are_seen(void **state)
{
    struct handoff_lender *lender = handoff_lender_create(*state);
    struct buffer head, answer;
    struct seen seen;

    buffer_init(&head);
    buffer_init(&answer);
    memset(&seen, 0, sizeof seen);
    buffer_append_string(&head, "GET / HTTP/1.1\r\n");
    for (unsigned i = 0; i < 64; i++)
        buffer_printf(&head, "Name-%u: value %u\r\n", i, i);
    buffer_append_string(&head, "\r\n");
    assert_int_equal(handoff_lend(lender, buffer_text(&head), &nowhere,
                                  on_request, &seen, &answer),
                     ST_OK);
    assert_int_equal(seen.header_count, 64);
    assert_string_equal(seen.last_name, "Name-63");
    assert_string_equal(seen.last_value, "value 63");
    buffer_fini(&head);
    buffer_fini(&answer);
    handoff_lender_destroy(&lender);
}

static void on_counted(void *arg, const struct handoff_request *request)
{
    unsigned *calls = arg;

    assert_int_equal(request->header_count, 1);
    *calls += 1;
}

static void a_head_beyond_the_buffer_is_refused(void **state)
{
    /* clang-format off */
    static const struct {
        size_t bytes;
        enum status st;
        const char *answer;
    } row[] = {
        {16384, ST_OK,        ""},
        {32000, ST_OK,        ""},
        {32768, ST_BAD_INPUT, "HTTP/1.1 431 "},
        {99999, ST_BAD_INPUT, "HTTP/1.1 431 "},
    };
    /* clang-format on */
    struct handoff_lender *lender = handoff_lender_create(*state);

    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct buffer head, answer;
        unsigned calls = 0;

        buffer_init(&head);
        buffer_init(&answer);
        buffer_append_string(&head, "GET / HTTP/1.1\r\nX: ");
        while (head.length < row[i].bytes - 4)
            buffer_append_char(&head, 'x');
        buffer_append_string(&head, "\r\n\r\n");
        assert_int_equal(handoff_lend(lender, buffer_text(&head), &nowhere,
                                      on_counted, &calls, &answer),
                         row[i].st);
        assert_int_equal(calls, row[i].st == ST_OK);
        assert_true(answer.length >= strlen(row[i].answer));
        assert_memory_equal(answer.bytes != NULL ? answer.bytes : "",
                            row[i].answer, strlen(row[i].answer));
        buffer_fini(&head);
        buffer_fini(&answer);
    }
    handoff_lender_destroy(&lender);
}

static void a_listener_that_only_redirects_is_answered_by_civetweb(void **state)
{
    struct handoff_lender *lender = handoff_lender_create(*state);
    struct handoff_socket redirecting = nowhere;
    struct buffer answer;
    unsigned calls = 0;

    buffer_init(&answer);
    redirecting.is_redirect = true;
    assert_int_equal(handoff_lend(lender,
                                  text_of("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"),
                                  &redirecting, on_counted, &calls, &answer),
                     ST_BAD_INPUT);
    assert_int_equal(calls, 0);
    assert_true(answer.length > 0); /* 503: there is no TLS listener */
    buffer_fini(&answer);
    handoff_lender_destroy(&lender);
}

/* ---- a loan costs microseconds and keeps nothing ---------------------------
 */

static const char browser_head[] =
    "GET /events/cheese?last_event_id=1844674407370955 HTTP/1.1\r\n"
    "Host: tidings.example\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101\r\n"
    "Accept: text/event-stream\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Referer: http://tidings.example/demo/\r\n"
    "Cache-Control: no-cache\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

static void on_nothing(void *arg, const struct handoff_request *request)
{
    unsigned *calls = arg;

    (void)request;
    *calls += 1;
}

static double cpu_seconds(void)
{
    struct timespec now;

    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void a_loan_leaves_the_next_one_as_it_was(void **state)
{
    enum { LOANS = 20000 };
    struct handoff_lender *lender = handoff_lender_create(*state);
    struct buffer answer;
    unsigned calls = 0;
    double began;

    buffer_init(&answer);
    began = cpu_seconds();
    for (unsigned i = 0; i < LOANS; i++)
        assert_int_equal(
            handoff_lend(lender,
                         (struct text){browser_head, sizeof browser_head - 1},
                         &nowhere, on_nothing, &calls, &answer),
            ST_OK);
    print_message("a loan of %u bytes: %.2f us\n",
                  (unsigned)sizeof browser_head - 1,
                  (cpu_seconds() - began) / LOANS * 1e6);
    assert_int_equal(calls, LOANS);
    assert_int_equal(answer.length, 0);
    assert_null(answer.bytes); /* nothing was written, not even asked for */
    buffer_fini(&answer);
    handoff_lender_destroy(&lender);
}

static void a_refused_loan_spoils_nothing(void **state)
{
    struct handoff_lender *lender = handoff_lender_create(*state);
    unsigned calls = 0;

    for (unsigned i = 0; i < 500; i++) {
        const char *head =
            refused[i % (sizeof refused / sizeof refused[0])].head;
        struct buffer answer;

        buffer_init(&answer);
        assert_int_equal(handoff_lend(lender, text_of(head), &nowhere,
                                      on_nothing, &calls, &answer),
                         ST_BAD_INPUT);
        buffer_fini(&answer);
        buffer_init(&answer);
        assert_int_equal(handoff_lend(lender, text_of(browser_head), &nowhere,
                                      on_nothing, &calls, &answer),
                         ST_OK);
        assert_int_equal(answer.length, 0);
        buffer_fini(&answer);
    }
    assert_int_equal(calls, 500);
    handoff_lender_destroy(&lender);
}

/* ---- several threads lend at once ------------------------------------------
 */

struct crew {
    struct handoff *handoff;
    unsigned handled, refused;
};

static void lend_often(void *arg)
{
    struct crew *crew = arg;
    struct handoff_lender *lender = handoff_lender_create(crew->handoff);

    for (unsigned i = 0; i < 3000; i++) {
        const bool is_bad = i % 7 == 0;
        struct buffer answer;

        buffer_init(&answer);
        if (handoff_lend(
                lender, text_of(is_bad ? refused[i % 10].head : browser_head),
                &nowhere, on_nothing, &crew->handled, &answer) == ST_BAD_INPUT)
            crew->refused += 1;
        CHECK(is_bad == (answer.length > 0));
        buffer_fini(&answer);
    }
    handoff_lender_destroy(&lender);
}

static void threads_lend_without_knowing_of_each_other(void **state)
{
    enum { THREADS = 3 };
    struct crew crew[THREADS];
    uv_thread_t thread[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        crew[i] = (struct crew){*state, 0, 0};
        assert_int_equal(uv_thread_create(&thread[i], lend_often, &crew[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(uv_thread_join(&thread[i]), 0);
        assert_int_equal(crew[i].refused, 429);
        assert_int_equal(crew[i].handled, 3000 - 429);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_handler_sees_what_was_sent),
        cmocka_unit_test(a_refused_head_is_answered_and_reaches_no_handler),
        cmocka_unit_test(sixty_four_headers_are_seen),
        cmocka_unit_test(a_head_beyond_the_buffer_is_refused),
        cmocka_unit_test(
            a_listener_that_only_redirects_is_answered_by_civetweb),
        cmocka_unit_test(a_loan_leaves_the_next_one_as_it_was),
        cmocka_unit_test(a_refused_loan_spoils_nothing),
        cmocka_unit_test(threads_lend_without_knowing_of_each_other),
    };

    return cmocka_run_group_tests_name("lending", tests, start, stop);
}
