/* test_base.c -- buffers, events, counters, log lines, locks.
 *
 * Log lines are read back from where standard error was pointed at: a file of
 * the test's own.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <tidings/buffer.h>
#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/event.h>
#include <tidings/list.h>
#include <tidings/logger.h>
#include <tidings/metrics.h>
#include <tidings/platform.h>
#include <tidings/status.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])

/* ---- buffer -------------------------------------------------------------- */

static void assert_buffer(const struct buffer *buffer, const char *expected)
{
    assert_int_equal(buffer->length, strlen(expected));
    assert_memory_equal(buffer->bytes, expected, buffer->length);
}

static void test_numbers_are_written_as_printf_would(void **state)
{
    static const uint64_t numbers[] = {
        0, 1, 9, 10, 99, 100, 4294967295, 4294967296, 1000, 65535, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct buffer buffer;
        char expected[64];

        buffer_init(&buffer);
        buffer_append_u64(&buffer, numbers[i]);
        buffer_append_char(&buffer, ' ');
        buffer_append_hex(&buffer, numbers[i]);
        snprintf(expected, sizeof expected, "%llu %llx",
                 (unsigned long long)numbers[i],
                 (unsigned long long)numbers[i]);
        assert_buffer(&buffer, expected);
        buffer_fini(&buffer);
    }
}

static void test_a_buffer_grows_and_gives_its_bytes_away(void **state)
{
    struct buffer buffer;
    char *mine;

    (void)state;
    buffer_init(&buffer);
    assert_null(buffer.bytes);
    for (int i = 0; i < 100000; i++)
        buffer_append_char(&buffer, (char)('a' + i % 26));
    assert_int_equal(buffer.length, 100000);
    assert_true(buffer.capacity <= 262144);
    buffer_consume(&buffer, 99990);
    assert_int_equal(buffer.length, 10);
    assert_int_equal(buffer.bytes[0], 'a' + 99990 % 26);
    buffer_printf(&buffer, "%s-%d", "end", 7);
    mine = buffer_detach(&buffer);
    assert_memory_equal(mine + 10, "end-7", 5);
    assert_null(buffer.bytes);
    assert_int_equal(buffer.length, 0);
    free(mine);
    buffer_fini(&buffer);
}

static void test_nothing_appended_is_nothing(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer);
    buffer_append(&buffer, NULL, 0);
    buffer_append_text(&buffer, (struct text){NULL, 0});
    buffer_append_string(&buffer, "");
    buffer_consume(&buffer, 0);
    assert_int_equal(buffer.length, 0);
    buffer_fini(&buffer);
}

/* ---- event --------------------------------------------------------------- */

static void test_an_event_keeps_its_four_texts(void **state)
{
    struct event *event = event_create(text_of("orders.1"), text_of("made"),
                                       text_of("data"), text_of("k"));
    struct event *second = event_ref(event);

    (void)state;
    assert_true(text_is(event_channel(event), "orders.1"));
    assert_true(text_is(event_type(event), "made"));
    assert_true(text_is(event_data(event), "data"));
    assert_true(text_is(event_key(event), "k"));
    assert_int_equal(event->id, 0);
    assert_ptr_equal(event, second);
    event_unref(&event);
    assert_null(event);
    assert_true(text_is(event_data(second), "data"));
    event_unref(&second);
    event_unref(&second); /* harmless on NULL */
}

static void test_an_event_may_be_empty_but_for_its_channel(void **state)
{
    const struct text none = {NULL, 0};
    struct event *event = event_create(text_of("a"), none, none, none);
    const struct event_view view = event_view(event);

    (void)state;
    assert_true(text_is(view.channel, "a"));
    assert_int_equal(view.type.length + view.data.length, 0);
    event_unref(&event);
}

/* ---- list ---------------------------------------------------------------- */

static void test_a_node_may_be_removed_twice(void **state)
{
    struct list_node list, first, second;

    (void)state;
    list_init(&list);
    list_init(&first);
    list_init(&second);
    assert_true(list_is_empty(&list));
    list_append(&list, &first);
    list_append(&list, &second);
    assert_ptr_equal(list.next, &first);
    assert_ptr_equal(first.next, &second);
    list_remove(&first);
    list_remove(&first);
    assert_ptr_equal(list.next, &second);
    list_remove(&second);
    assert_true(list_is_empty(&list));
}

/* ---- status, check, clock ------------------------------------------------ */

static void test_every_status_has_name_and_sentence(void **state)
{
    (void)state;
    assert_string_equal(status_name(ST_OK), "OK");
    assert_string_equal(status_name(ST_NO_SPACE), "NO_SPACE");
    assert_string_equal(status_text(ST_IO),
                        "the system refused a read or write");
    assert_string_equal(status_name((enum status)99), "UNKNOWN");
}

static void test_a_failed_check_ends_the_process(void **state)
{
    int how = 0;
    const pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        assert_non_null(freopen("/dev/null", "w", stderr));
        (void)signal(SIGABRT, SIG_DFL); /* not cmocka's */
        CHECK(child != 0);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
}

static void test_the_clocks_go_forward(void **state)
{
    const int64_t wall = clock_wall_ms(&system_clock);
    const int64_t before = clock_monotonic_ms(&system_clock);

    (void)state;
    assert_true(wall > INT64_C(1600000000000));
    assert_true(clock_monotonic_ms(&system_clock) >= before);
}

/* ---- metrics ------------------------------------------------------------- */

static void test_a_figure_is_the_sum_of_all_blocks(void **state)
{
    static struct metrics first, second;
    struct buffer out;

    (void)state;
    metrics_register(&first);
    metrics_register(&second);
    metrics_add(&first, METRIC_requests, 3);
    metrics_add(&second, METRIC_requests, 4);
    metrics_add(&second, METRIC_subscribers, 2);
    metrics_add(&first, METRIC_subscribers, -1);
    assert_int_equal(metrics_sum(METRIC_requests), 7);
    assert_int_equal(metrics_sum(METRIC_subscribers), 1);

    buffer_init(&out);
    metrics_append(&out);
    buffer_append_char(&out, '\0');
    assert_non_null(strstr(out.bytes, "\ntidings_requests_total 7\n"));
    assert_non_null(strstr(out.bytes, "\ntidings_subscribers 1\n"));
    assert_non_null(
        strstr(out.bytes, "# TYPE tidings_requests_total counter\n"));
    buffer_fini(&out);
}

/* ---- logger -------------------------------------------------------------- */

/* What logger_write sends to standard error during `write`. */
static size_t captured(void (*write_lines)(void), char *out, size_t room)
{
    FILE *file = tmpfile();
    const int saved = dup(STDERR_FILENO);
    size_t length;

    assert_non_null(file);
    assert_true(saved >= 0);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    write_lines();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_int_equal(close(saved), 0);
    rewind(file);
    length = fread(out, 1, room - 1, file);
    out[length] = '\0';
    assert_int_equal(fclose(file), 0);
    return length;
}

static char long_value[5000];

static void write_plain(void)
{
    logger_init(LOG_INFO, false);
    LOG_LINE(LOG_DEBUG, "x", "not seen", LOG_NUM("n", 1));
    LOG_LINE(LOG_INFO, "journal", "opened", LOG_STR("dir", "a b"),
             LOG_STR("plain", "/x/y:1"), LOG_STR("none", ""),
             LOG_NUM("n", INT64_MIN));
}

static void write_hostile(void)
{
    const char nul[] = {'a', '\0', 'b'};

    logger_init(LOG_INFO, false);
    LOG_LINE(LOG_WARN, "http", "odd", LOG_STR("v", "x\nlevel=error y=\"z\\\""),
             LOG_STR("u", "Gruy\xc3\xa8re \xe2\x80\xa8 \xc2\x85 \xff \x7f"),
             LOG_TXT("z", ((struct text){nul, 3})));
}

static void write_hostile_json(void)
{
    logger_init(LOG_INFO, true);
    LOG_LINE(LOG_WARN, "http", "odd", LOG_STR("v", "\",\"level\":\"error\n\\"),
             LOG_NUM("n", -7));
}

static void write_long(void)
{
    memset(long_value, 'x', sizeof long_value - 1);
    logger_init(LOG_INFO, false);
    LOG_LINE(LOG_INFO, "a", "b", LOG_STR("k", long_value), LOG_NUM("n", 1));
    memset(long_value, '\n', sizeof long_value - 1);
    LOG_LINE(LOG_INFO, "a", "b", LOG_STR("k", long_value), LOG_NUM("n", 1));
    logger_init(LOG_INFO, true);
    LOG_LINE(LOG_INFO, "a", "b", LOG_STR("k", long_value), LOG_NUM("n", 1));
}

static void test_a_line_has_its_fields_in_order(void **state)
{
    char lines[4096];

    (void)state;
    captured(write_plain, lines, sizeof lines);
    assert_memory_equal(lines, "time=20", 7);
    assert_string_equal(strchr(lines, ' '),
                        " level=info chapter=journal what=opened dir=\"a b\" "
                        "plain=/x/y:1 none=\"\" n=-9223372036854775808\n");
}

static void test_no_byte_of_a_value_ends_its_field_or_line(void **state)
{
    char lines[4096];

    (void)state;
    captured(write_hostile, lines, sizeof lines);
    assert_string_equal(
        strstr(lines, "v="),
        "v=\"x\\u000alevel=error y=\\u0022z\\u005c\\u0022\" "
        "u=\"Gruy\xc3\xa8re \\u00e2\\u0080\\u00a8 \\u00c2\\u0085 \\u00ff "
        "\\u007f\" z=\"a\\u0000b\"\n");
    captured(write_hostile_json, lines, sizeof lines);
    assert_string_equal(strstr(lines, ",\"level\""),
                        ",\"level\":\"warn\",\"chapter\":\"http\",\"what\":"
                        "\"odd\",\"v\":\"\\u0022,\\u0022level\\u0022:\\u0022"
                        "error\\u000a\\u005c\",\"n\":-7}\n");
}

static void test_a_long_line_is_cut_and_closed(void **state)
{
    char lines[16384];
    char *line = lines;
    unsigned count = 0;

    (void)state;
    captured(write_long, lines, sizeof lines);
    for (char *end = strchr(line, '\n'); end != NULL;
         end = strchr(line, '\n')) {
        assert_true(end - line < 2048);
        *end = '\0';
        assert_non_null(strstr(end - 6, "..."));
        line = end + 1;
        count++;
    }
    assert_int_equal(count, 3);
    assert_string_equal(line - 6, "...\"}");
}

static void test_what_happens_often_is_told_once_a_second(void **state)
{
    struct log_limit limit = {0};
    uint64_t suppressed = 99;

    (void)state;
    assert_true(logger_may(&limit, 5000, &suppressed));
    assert_int_equal(suppressed, 0);
    for (int i = 0; i < 10; i++)
        assert_false(logger_may(&limit, 5000 + i, &suppressed));
    assert_true(logger_may(&limit, 6000, &suppressed));
    assert_int_equal(suppressed, 10);
}

/* ---- platform ------------------------------------------------------------ */

static void test_a_lock_is_held_once_even_within_one_process(void **state)
{
    char directory[] = "/tmp/tidings-test-XXXXXX";
    char path[64];
    int first = -1, second = -1;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/lock", directory);
    assert_false(platform_is_locked(path));
    assert_int_equal(access(path, F_OK), -1); /* asking makes no file */

    assert_int_equal(platform_lock_file(path, &first), ST_OK);
    assert_int_equal(platform_lock_file(path, &second), ST_BUSY);
    assert_int_equal(second, -1);
    assert_true(platform_is_locked(path));
    platform_unlock_file(&first);
    platform_unlock_file(&first);
    assert_false(platform_is_locked(path));
    assert_int_equal(platform_lock_file(path, &second), ST_OK);
    platform_unlock_file(&second);

    assert_int_equal(platform_lock_file("/no/such/directory/lock", &first),
                     ST_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void test_sockets_say_what_happened(void **state)
{
    struct iovec pieces[2] = {{(char[]){"ab"}, 2}, {(char[]){"cde"}, 3}};
    static char big[1 << 20];
    const struct iovec flood = {big, sizeof big};
    char bytes[16];
    size_t count = 0;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);

    assert_int_equal(platform_recv(pair[1], bytes, 16, &count), ST_EMPTY);
    assert_int_equal(platform_writev(pair[0], pieces, 2, &count), ST_OK);
    assert_int_equal(count, 5);
    assert_int_equal(platform_recv(pair[1], bytes, 16, &count), ST_OK);
    assert_int_equal(count, 5);
    assert_memory_equal(bytes, "abcde", 5);

    while (platform_writev(pair[0], &flood, 1, &count) == ST_OK)
        ;
    assert_int_equal(platform_writev(pair[0], &flood, 1, &count), ST_FULL);
    assert_int_equal(close(pair[1]), 0);
    assert_int_equal(platform_writev(pair[0], &flood, 1, &count), ST_CLOSED);
    assert_int_equal(close(pair[0]), 0);
    assert_int_equal(platform_recv(-1, bytes, 16, &count), ST_IO);
    assert_true(platform_writev_max() >= 16);
    assert_true(platform_raise_file_limit() >= 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_written_as_printf_would),
        cmocka_unit_test(test_a_buffer_grows_and_gives_its_bytes_away),
        cmocka_unit_test(test_nothing_appended_is_nothing),
        cmocka_unit_test(test_an_event_keeps_its_four_texts),
        cmocka_unit_test(test_an_event_may_be_empty_but_for_its_channel),
        cmocka_unit_test(test_a_node_may_be_removed_twice),
        cmocka_unit_test(test_every_status_has_name_and_sentence),
        cmocka_unit_test(test_a_failed_check_ends_the_process),
        cmocka_unit_test(test_the_clocks_go_forward),
        cmocka_unit_test(test_a_figure_is_the_sum_of_all_blocks),
        cmocka_unit_test(test_a_line_has_its_fields_in_order),
        cmocka_unit_test(test_no_byte_of_a_value_ends_its_field_or_line),
        cmocka_unit_test(test_a_long_line_is_cut_and_closed),
        cmocka_unit_test(test_what_happens_often_is_told_once_a_second),
        cmocka_unit_test(test_a_lock_is_held_once_even_within_one_process),
        cmocka_unit_test(test_sockets_say_what_happened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
