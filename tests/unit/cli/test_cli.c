/* test_cli.c -- what the commands stand on: flags, answers, streams.
 *
 * Streams are fed whole and cut at every byte: the network cuts where it likes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/command.h"
#include "cli/http_client.h"
#include "cli/json_tokens.h"
#include "cli/options.h"
#include "cli/sse_reader.h"
#include "cli/tail_stream.h"

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])

/* ---- sse_reader ---------------------------------------------------------- */

/* clang-format off */
static const struct {
    const char *stream;
    const char *messages; /* type|data|id; of each */
    const char *id;       /* where to go on */
    unsigned retry_ms;
} streams[] = {
    {"",                                  "",              "",  0},
    {"data: x\n\n",                       "|x|;",          "",  0},
    {"data: x\n",                         "",              "",  0},
    {"data:x\nid:1\n\n",                  "|x|1;",         "1", 0},
    {"data:  x\nid: 1\n\n",               "| x|1;",        "1", 0},
    {"event: t\r\ndata: x\r\nid: 1\r\n\r\n", "t|x|1;",     "1", 0},
    {"data: x\rid: 1\r\r",                "|x|1;",         "1", 0},
    {"data: x\r\rdata: y\r\r",            "|x|;|y|;",      "",  0},
    {"data: a\ndata\ndata: b\nid: 1\n\n", "|a\n\nb|1;",    "1", 0},
    {"data\n\n",                          "||;",           "",  0},
    {": hello\n\n:\n\ndata: x\n\n",       "|x|;",          "",  0},
    {"retry: 250\n\ndata: x\n\n",         "|x|;",          "",  250},
    {"retry: 2x\n\nretry:\n\n",           "",              "",  0},
    {"id: 5\n\ndata: x\n\n",              "|x|5;",         "5", 0},
    {"event: t\n\ndata: x\n\n",           "|x|;",          "",  0},
    {"data: x\nid: 1\n\ndata: y\nid: 2\n", "|x|1;",        "1", 0}, /* 2 comes again */
    {"unknown: 1\ndata: x\n\n",           "|x|;",          "",  0},
};
/* clang-format on */

static void on_message(void *arg, const struct sse_message *message)
{
    buffer_printf(arg, "%.*s|%.*s|%.*s;", TEXT_ARGS(message->type),
                  TEXT_ARGS(message->data), TEXT_ARGS(message->id));
}

static struct text rest_of(struct text text, size_t from)
{
    return (struct text){text.bytes + from, text.length - from};
}

static void assert_reads(size_t row, size_t cut)
{
    const struct text whole = text_of(streams[row].stream);
    struct sse_reader reader;
    struct buffer seen;

    sse_reader_init(&reader);
    buffer_init(&seen);
    assert_int_equal(sse_reader_feed(&reader, (struct text){whole.bytes, cut},
                                     on_message, &seen),
                     ST_OK);
    assert_int_equal(
        sse_reader_feed(&reader, rest_of(whole, cut), on_message, &seen),
        ST_OK);
    buffer_append_char(&seen, '\0');
    assert_string_equal(seen.bytes, streams[row].messages);
    assert_true(text_is(buffer_text(&reader.id), streams[row].id));
    assert_int_equal(reader.retry_ms, streams[row].retry_ms);
    buffer_fini(&seen);
    sse_reader_fini(&reader);
}

static void test_a_stream_reads_the_same_wherever_it_is_cut(void **state)
{
    (void)state;
    for (size_t row = 0; row < COUNT_OF(streams); row++)
        for (size_t cut = 0; cut <= strlen(streams[row].stream); cut++)
            assert_reads(row, cut);
}

static void test_a_new_connection_forgets_what_was_unfinished(void **state)
{
    struct sse_reader reader;
    struct buffer seen;

    (void)state;
    sse_reader_init(&reader);
    buffer_init(&seen);
    assert_int_equal(
        sse_reader_feed(&reader,
                        text_of("data: x\nid: 1\n\ndata: lost\nid: 2\nda"),
                        on_message, &seen),
        ST_OK);
    sse_reader_restart(&reader);
    assert_true(text_is(buffer_text(&reader.id), "1"));
    assert_int_equal(
        sse_reader_feed(&reader, text_of("data: y\n\n"), on_message, &seen),
        ST_OK);
    buffer_append_char(&seen, '\0');
    assert_string_equal(seen.bytes, "|x|1;|y|1;");
    buffer_fini(&seen);
    sse_reader_fini(&reader);
}

/* ---- tail_stream --------------------------------------------------------- */

static const char lines[] =
    "\n{\"id\":7,\"channel_id\":\"a.b\",\"ts\":\"x\",\"data\":{\"type\":"
    "\"t\\u00e9\",\"data\":{\"n\":1}}}\n"
    "{\"action\":\"keep-alive\",\"timestamp\":\"x\"}\n"
    "{\"id\":9,\"channel_id\":\"c\",\"ts\":\"x\",\"data\":{\"type\":\"\","
    "\"data\":\"a\\nb\"}}\n"
    "{\"id\":10,\"channel_id\":\"c\",\"ts\":\"x\",\"data\":{\"type\":\"\"";

static void on_tail_event(void *arg, const struct tail_event *event)
{
    buffer_printf(arg, "%.*s|%.*s|%.*s|%.*s|%.*s;", TEXT_ARGS(event->id),
                  TEXT_ARGS(event->channel), TEXT_ARGS(event->type),
                  TEXT_ARGS(event->data), TEXT_ARGS(event->data_json));
}

static void test_lines_tell_the_channel_too(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof lines; cut++) {
        struct tail_stream stream;
        struct buffer seen;

        buffer_init(&seen);
        tail_stream_init(&stream, text_of(""), on_tail_event, &seen);
        tail_stream_restart(&stream, text_of("5"));
        assert_true(text_is(tail_stream_position(&stream), "5"));
        assert_int_equal(tail_stream_feed(&stream, (struct text){lines, cut}),
                         ST_OK);
        assert_int_equal(
            tail_stream_feed(&stream, rest_of(text_of(lines), cut)), ST_OK);
        buffer_append_char(&seen, '\0');
        assert_string_equal(seen.bytes, "7|a.b|t\xc3\xa9|{\"n\":1}|{\"n\":1};"
                                        "9|c||a\nb|\"a\\nb\";");
        tail_stream_restart(&stream, text_of("99"));
        assert_true(text_is(tail_stream_position(&stream), "9"));
        tail_stream_fini(&stream);
        buffer_fini(&seen);
    }
}

static void test_a_line_that_is_no_event_ends_the_stream(void **state)
{
    struct tail_stream stream;
    struct buffer seen;

    (void)state;
    buffer_init(&seen);
    tail_stream_init(&stream, text_of(""), on_tail_event, &seen);
    assert_int_equal(tail_stream_feed(&stream, text_of("{\n")), ST_CORRUPT);
    assert_int_equal(seen.length, 0);
    tail_stream_fini(&stream);
    buffer_fini(&seen);
}

static void test_of_one_channel_the_name_is_known(void **state)
{
    struct tail_stream stream;
    struct buffer seen;

    (void)state;
    buffer_init(&seen);
    tail_stream_init(&stream, text_of("news"), on_tail_event, &seen);
    assert_int_equal(
        tail_stream_feed(&stream, text_of("data: {\"a\":1}\nid: 3\n\n")),
        ST_OK);
    buffer_append_char(&seen, '\0');
    assert_string_equal(seen.bytes, "3|news||{\"a\":1}|{\"a\":1};");
    tail_stream_fini(&stream);
    buffer_fini(&seen);
}

/* ---- json_tokens --------------------------------------------------------- */

static void test_members_and_elements_are_found(void **state)
{
    static const char text[] =
        "{\"a\":{\"x\":[1,[2,3],\"\"]},\"\":{},\"ids\":[10,\"\",{\"id\":7}],"
        "\"e\":[],\"m\":\"say \\\"hi\\\" \\u00e9\",\"c\":\"\\u001b[31m\"}";
    struct json_tokens json;
    struct buffer shown;
    int ids, element;

    (void)state;
    assert_int_equal(json_tokens_init(&json, text_of(text)), ST_OK);
    ids = json_member(&json, 0, "ids");
    assert_true(json_is_array(&json, ids));
    element = json_first(&json, ids);
    assert_true(text_is(json_raw(&json, element), "10"));
    element = json_next(&json, ids, element);
    assert_true(json_is_string(&json, element));
    assert_true(text_is(json_raw(&json, element), ""));
    element = json_next(&json, ids, element);
    assert_true(
        text_is(json_raw(&json, json_member(&json, element, "id")), "7"));
    assert_int_equal(json_next(&json, ids, element), -1);
    assert_int_equal(json_first(&json, json_member(&json, 0, "e")), -1);
    assert_int_equal(json_member(&json, 0, "x"), -1); /* of a member */
    assert_int_equal(json_member(&json, json_member(&json, 0, "none"), "x"),
                     -1);
    assert_true(text_is(json_raw(&json, -1), ""));

    buffer_init(&shown);
    json_append_shown(&json, json_member(&json, 0, "m"), &shown);
    json_append_shown(&json, json_member(&json, 0, "c"), &shown);
    buffer_append_char(&shown, '\0');
    assert_string_equal(shown.bytes, "say \"hi\" \xc3\xa9\\u001b[31m");
    buffer_fini(&shown);
    json_tokens_fini(&json);
}

static void test_what_is_no_json_is_refused(void **state)
{
    static const char *const texts[] = {"", "{", "[1", "{\"a\":\"", "]"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct json_tokens json;

        assert_int_equal(json_tokens_init(&json, text_of(texts[i])),
                         ST_BAD_INPUT);
        json_tokens_fini(&json);
    }
}

/* ---- options ------------------------------------------------------------- */

static void test_words_and_flags_stand_in_any_order(void **state)
{
    const char *url = "default";
    bool is_set = false;
    const struct option rows[] = {
        {"no-reply", NULL, NULL, &is_set, ""},
        {"url", "URL", &url, NULL, ""},
    };
    const struct options options = {"usage", "", rows, COUNT_OF(rows)};
    char words[][16] = {"one", "--url",      "u",  "-",
                        "two", "--no_reply", "--", "--three"};
    char *argv[8];
    int argc = 8;
    int exit_code;

    (void)state;
    for (int i = 0; i < argc; i++)
        argv[i] = words[i];
    assert_true(options_read(&options, &argc, argv, &exit_code));
    assert_int_equal(argc, 4);
    assert_string_equal(argv[0], "one");
    assert_string_equal(argv[1], "-");
    assert_string_equal(argv[2], "two");
    assert_string_equal(argv[3], "--three");
    assert_string_equal(url, "u");
    assert_true(is_set);
}

static void test_wrong_flags_end_the_command(void **state)
{
    static const char *const wrong[] = {"--nothing", "--url", "--set=1",
                                        "-x",        "--ur",  "--url2=x"};
    const char *url = NULL;
    bool is_set = false;
    const struct option rows[] = {
        {"set", NULL, NULL, &is_set, ""},
        {"url", "URL", &url, NULL, ""},
    };
    const struct options options = {"usage", "", rows, COUNT_OF(rows)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char word[16];
        char *argv[] = {word};
        int argc = 1;
        int exit_code = EXIT_DONE;

        snprintf(word, sizeof word, "%s", wrong[i]);
        assert_false(options_read(&options, &argc, argv, &exit_code));
        assert_int_equal(exit_code, EXIT_USAGE);
    }
}

static void test_numbers_are_whole_and_in_range(void **state)
{
    uint64_t number = 0;

    (void)state;
    assert_true(option_number("12", 1, 12, &number));
    assert_int_equal(number, 12);
    assert_false(option_number("13", 1, 12, &number));
    assert_false(option_number("0", 1, 12, &number));
    assert_false(option_number("", 0, 12, &number));
    assert_false(option_number("-1", 0, 12, &number));
    assert_false(option_number("1x", 0, 12, &number));
    assert_true(option_number("18446744073709551615", 0, UINT64_MAX, &number));
    assert_true(number == UINT64_MAX);
    assert_false(option_number("18446744073709551616", 0, UINT64_MAX, &number));
    assert_false(option_number("99999999999999999999", 0, UINT64_MAX, &number));
}

/* ---- http_client --------------------------------------------------------- */

static void test_only_http_urls_are_taken(void **state)
{
    static const struct {
        const char *url;
        bool is_taken;
    } rows[] = {
        {"http://localhost", true},
        {"http://localhost:80", true},
        {"http://localhost/", true},
        {"http://h:1/a/b/", true},
        {"http://[::1]:8080/x", true},
        {"http://[::1]", true},
        {"", false},
        {"localhost:80", false},
        {"https://localhost", true},
        {"https://[::1]:8443/path/", true},
        {"https:/localhost", false},
        {"httpss://localhost", false},
        {"http://", false},
        {"http:///x", false},
        {"http://h:", false},
        {"http://h:/x", false},
        {"http://u@h", false},
        {"http://h/?q", false},
        {"http://h/a b", false},
        {"http://h\r\nX: y", false},
        {"http://[::1", false},
        {"http://[::1]8080", false},
        {"http://:80", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http_client *client = http_client_create(rows[i].url);

        assert_int_equal(client != NULL, rows[i].is_taken);
        http_client_destroy(&client);
    }
}

static void test_text_is_escaped_for_urls(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out);
    url_append_escaped(&out, text_of("a-Z_0.~ &=+/?#%\xc3\xa8\n>*"));
    assert_true(text_is(buffer_text(&out),
                        "a-Z_0.~%20%26%3D%2B%2F%3F%23%25%C3%A8%0A%3E%2A"));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_reads_the_same_wherever_it_is_cut),
        cmocka_unit_test(test_a_new_connection_forgets_what_was_unfinished),
        cmocka_unit_test(test_lines_tell_the_channel_too),
        cmocka_unit_test(test_a_line_that_is_no_event_ends_the_stream),
        cmocka_unit_test(test_of_one_channel_the_name_is_known),
        cmocka_unit_test(test_members_and_elements_are_found),
        cmocka_unit_test(test_what_is_no_json_is_refused),
        cmocka_unit_test(test_words_and_flags_stand_in_any_order),
        cmocka_unit_test(test_wrong_flags_end_the_command),
        cmocka_unit_test(test_numbers_are_whole_and_in_range),
        cmocka_unit_test(test_only_http_urls_are_taken),
        cmocka_unit_test(test_text_is_escaped_for_urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
