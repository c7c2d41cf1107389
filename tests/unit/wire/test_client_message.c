/* test_client_message.c -- what a WebSocket client may say. */
#include <tidings/client_message.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows)   (sizeof(rows) / sizeof(rows)[0])
#define SELECTORS_MAX 3

static const struct row {
    const char *text;
    const char *told; /* NULL: bad input */
} rows[] = {
    /* clang-format off */
    {"{\"subscribe\":[\"a\"]}",                            "subscribe a; latest"},
    {" { \"subscribe\" : [ \"a\" , \"b.*\" ] } ",          "subscribe a b.*; latest"},
    {"{\"subscribe\":[\"a\",\"a\",\"b\"]}",                "subscribe a b; latest"},
    {"{\"subscribe\":[\"\\u003e\"]}",                      "subscribe >; latest"},
    {"{\"\\u0073ubscribe\":[\"a\"]}",                      "subscribe a; latest"},
    {"{\"subscribe\":[\"a\"],\"after\":null}",             "subscribe a; latest"},
    {"{\"after\":12,\"subscribe\":[\"a\"]}",               "subscribe a; after 12: id 12"},
    {"{\"subscribe\":[\"a\"],\"after\":\"12\"}",           "subscribe a; after 12: id 12"},
    {"{\"subscribe\":[\"a\"],\"after\":1406125522250}",    "subscribe a; after 1406125522250: time 1406125522250"},
    {"{\"subscribe\":[\"a\"],\"after\":\"rt-1.5\"}",       "subscribe a; after rt-1.5: time 1500"},
    {"{\"subscribe\":[\"a\"],\"after\":\"last\\u002d20\"}", "subscribe a; after last-20: last 20"},
    {"{\"subscribe\":[\"a\"],\"after\":\"earliest\"}",     "subscribe a; after earliest: earliest"},
    {"{\"subscribe\":[\"a\"],\"after\":{\"a\":12}}",       "subscribe a; after {\"a\":12}: channels"},
    {"{\"subscribe\":[\"a\"],\"after\":\"{\\\"a\\\":12}\"}", "subscribe a; after {\"a\":12}: channels"},
    {"{\"unsubscribe\":[\"a\",\"b\",\"c\"]}",              "unsubscribe a b c"},
    {"{\"ack\":12}",                                       "ack 12"},
    {"{\"ack\":\"12\"}",                                   "ack 12"},
    {"{\"ack\":9007199254740991}",                         "ack 9007199254740991"},
    {"",                                                   NULL},
    {"null",                                               NULL},
    {"[\"subscribe\"]",                                    NULL},
    {"{\"subscribe\":[\"a\"]",                             NULL},
    {"{\"subscribe\":[\"a\"]} x",                          NULL},
    {"{}",                                                 NULL},
    {"{\"after\":12}",                                     NULL},
    {"{\"subscribe\":[\"a\"],\"ack\":1}",                  NULL},
    {"{\"subscribe\":[\"a\"],\"unsubscribe\":[\"b\"]}",    NULL},
    {"{\"unsubscribe\":[\"a\"],\"after\":1}",              NULL},
    {"{\"subscribe\":[\"a\"],\"subscribe\":[\"b\"]}",      NULL},
    {"{\"subscribe\":[\"a\"],\"other\":1}",                NULL},
    {"{\"subscribe\":\"a\"}",                              NULL},
    {"{\"subscribe\":{\"a\":1}}",                          NULL},
    {"{\"subscribe\":[]}",                                 NULL},
    {"{\"subscribe\":[\"a\",1]}",                          NULL},
    {"{\"subscribe\":[[\"a\"]]}",                          NULL},
    {"{\"subscribe\":[\"a b\"]}",                          NULL},
    {"{\"subscribe\":[\"\"]}",                             NULL},
    {"{\"subscribe\":[\"\\ud800\"]}",                      NULL},
    {"{\"subscribe\":[\"a\",\"b\",\"c\",\"d\"]}",          NULL},
    {"{\"subscribe\":[\"a\"],\"after\":1.5}",              NULL},
    {"{\"subscribe\":[\"a\"],\"after\":-1}",               NULL},
    {"{\"subscribe\":[\"a\"],\"after\":true}",             NULL},
    {"{\"subscribe\":[\"a\"],\"after\":[12]}",             NULL},
    {"{\"subscribe\":[\"a\"],\"after\":\"\\ud800\"}",      NULL},
    {"{\"subscribe\":[\"a\"],\"after\":\"soon\"}",         NULL},
    {"{\"ack\":-1}",                                       NULL},
    {"{\"ack\":1.5}",                                      NULL},
    {"{\"ack\":\"\"}",                                     NULL},
    {"{\"ack\":null}",                                     NULL},
    {"{\"ack\":9007199254740992}",                         NULL},
    {"{\"ack\":99999999999999999999}",                     NULL},
    /* clang-format on */
};

static void append_position(struct buffer *told,
                            const struct client_message *message)
{
    static const char *const kinds[] = {
        [POSITION_LATEST] = "latest", [POSITION_EARLIEST] = "earliest",
        [POSITION_ID] = "id",         [POSITION_TIME] = "time",
        [POSITION_LAST] = "last",     [POSITION_CHANNELS] = "channels",
    };
    const struct position *position = &message->position;

    buffer_append_string(told, "; ");
    if (message->has_position)
        buffer_printf(told, "after %.*s: ", TEXT_ARGS(message->position_text));
    buffer_append_string(told, kinds[position->kind]);
    if (position->number > 0) {
        buffer_append_char(told, ' ');
        buffer_append_u64(told, position->number);
    }
}

static void tell(struct buffer *told, const struct client_message *message)
{
    if (message->action == CLIENT_ACKS) {
        buffer_append_string(told, "ack ");
        buffer_append_u64(told, message->id);
        return;
    }
    buffer_append_string(told, message->action == CLIENT_SUBSCRIBES
                                   ? "subscribe"
                                   : "unsubscribe");
    for (unsigned i = 0; i < message->selector_count; i++)
        buffer_printf(told, " %.*s", TEXT_ARGS(message->selectors[i]));
    if (message->action == CLIENT_SUBSCRIBES)
        append_position(told, message);
}

static void a_message_is_understood_or_refused_with_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client_message message;
        const char *why = "";
        struct buffer told;
        enum status st = client_message_parse(text_of(rows[i].text),
                                              SELECTORS_MAX, &message, &why);

        print_message("%s\n", rows[i].text);
        assert_int_equal(st, rows[i].told != NULL ? ST_OK : ST_BAD_INPUT);
        if (st != ST_OK) {
            assert_true(strlen(why) > 0);
            continue;
        }
        buffer_init(&told);
        tell(&told, &message);
        buffer_append_char(&told, '\0');
        assert_string_equal(told.bytes, rows[i].told);
        buffer_fini(&told);
        client_message_fini(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_understood_or_refused_with_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
