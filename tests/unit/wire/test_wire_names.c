/* test_wire_names.c -- UTF-8, channels, types and selectors. */
#include <tidings/wire.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES(literal)                                                         \
    {                                                                          \
        (literal), sizeof(literal) - 1                                         \
    }
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

#define TEN       "0123456789"
#define FIFTY     TEN TEN TEN TEN TEN
#define HUNDRED   FIFTY FIFTY
#define SEVEN_SAY "seven is"

struct claim_row {
    const char *claim;
    struct text text;
    bool is_true;
};

/* clang-format off */
static const struct claim_row utf8_rows[] = {
    {"nothing",                               BYTES(""),                  true},
    {"ASCII",                                 BYTES("plain text, longer than eight"), true},
    {"NUL",                                   BYTES("a\0b"),              true},
    {"controls",                              BYTES("\x01\x1f\x7f"),      true},
    {"two bytes",                             BYTES("Gruy\xc3\xa8re"),    true},
    {"the least of two bytes",                BYTES("\xc2\x80"),          true},
    {"the greatest of two bytes",             BYTES("\xdf\xbf"),          true},
    {"the least of three bytes",              BYTES("\xe0\xa0\x80"),      true},
    {"the greatest of three bytes",           BYTES("\xef\xbf\xbf"),      true},
    {"just below the surrogates",             BYTES("\xed\x9f\xbf"),      true},
    {"just above the surrogates",             BYTES("\xee\x80\x80"),      true},
    {"the least of four bytes",               BYTES("\xf0\x90\x80\x80"),  true},
    {"U+10FFFF",                              BYTES("\xf4\x8f\xbf\xbf"),  true},
    {"ASCII around four bytes",               BYTES("1234567\xf0\x9f\xa7\x80" "8901234"), true},
    {"a byte order mark",                     BYTES("\xef\xbb\xbfx"),     true},
    {"a continuation alone",                  BYTES("\x80"),              false},
    {"a continuation behind ASCII",           BYTES("12345678\xbf"),      false},
    {"two bytes cut off",                     BYTES("\xc3"),              false},
    {"three bytes cut off",                   BYTES("12345678\xe2\x82"),  false},
    {"four bytes cut off",                    BYTES("\xf0\x9f\xa7"),      false},
    {"overlong slash of two",                 BYTES("\xc0\xaf"),          false},
    {"overlong of two, c1",                   BYTES("\xc1\xbf"),          false},
    {"overlong of three",                     BYTES("\xe0\x9f\xbf"),      false},
    {"overlong of four",                      BYTES("\xf0\x8f\xbf\xbf"),  false},
    {"a high surrogate",                      BYTES("\xed\xa0\x80"),      false},
    {"a low surrogate",                       BYTES("\xed\xbf\xbf"),      false},
    {"beyond U+10FFFF",                       BYTES("\xf4\x90\x80\x80"),  false},
    {"f5",                                    BYTES("\xf5\x80\x80\x80"),  false},
    {"ff",                                    BYTES("\xff"),              false},
    {"a bad third byte",                      BYTES("\xe2\x82\x28"),      false},
    {"a bad fourth byte",                     BYTES("\xf0\x9f\xa7\x28"),  false},
    {"Latin-1",                               BYTES("Gruy\xe8re"),        false},
};

static const struct claim_row channel_rows[] = {
    {"a word",                                BYTES("cheese"),            true},
    {"one letter",                            BYTES("a"),                 true},
    {"several tokens",                        BYTES("user.42.inbox"),     true},
    {"every character",                       BYTES("azAZ09_-.x"),        true},
    {"200 bytes",                             BYTES(HUNDRED HUNDRED),     true},
    {"nothing",                               BYTES(""),                  false},
    {"201 bytes",                             BYTES(HUNDRED HUNDRED "1"), false},
    {"a dot",                                 BYTES("."),                 false},
    {"a dot first",                           BYTES(".a"),                false},
    {"a dot last",                            BYTES("a."),                false},
    {"two dots",                              BYTES("a..b"),              false},
    {"a star",                                BYTES("a.*"),               false},
    {"a greater",                             BYTES("a.>"),               false},
    {"a space",                               BYTES("a b"),               false},
    {"a slash",                               BYTES("a/b"),               false},
    {"a comma",                               BYTES("a,b"),               false},
    {"an accent",                             BYTES("caf\xc3\xa9"),       false},
    {"NUL at the end",                        BYTES("a\0"),               false},
    {"CR LF",                                 BYTES("a\r\nPUB x"),        false},
    {"a percent sign",                        BYTES("a%2e"),              false},
    {"a dollar",                              BYTES("$SYS.x"),            false},
};

static const struct claim_row type_rows[] = {
    {"none",                                  BYTES(""),                  true},
    {"a word",                                BYTES("cheese_created"),    true},
    {"words and signs",                       BYTES("a b: c/\"d\" \\e"),  true},
    {"an accent",                             BYTES("Gruy\xc3\xa8re"),    true},
    {"a no-break space, the first behind C1", BYTES("a\xc2\xa0" "b"),     true},
    {"128 bytes",                             BYTES(HUNDRED TEN TEN SEVEN_SAY), true},
    {"129 bytes",                             BYTES(HUNDRED TEN TEN SEVEN_SAY "1"), false},
    {"LF",                                    BYTES("a\nid: 9"),          false},
    {"CR",                                    BYTES("a\rid: 9"),          false},
    {"NUL",                                   BYTES("a\0"),               false},
    {"a tab",                                 BYTES("a\tb"),              false},
    {"DEL",                                   BYTES("a\x7f"),             false},
    {"the first of C1",                       BYTES("a\xc2\x80"),         false},
    {"the last of C1",                        BYTES("\xc2\x9f"),          false},
    {"next line, of C1",                      BYTES("a\xc2\x85" "b"),     false},
    {"not UTF-8",                             BYTES("a\xff"),             false},
    {"cut off UTF-8",                         BYTES("a\xc2"),             false},
};

static const struct claim_row reserved_rows[] = {
    {"a gap",                                 BYTES("tidings.gap"),       true},
    {"the prefix alone",                      BYTES("tidings."),          true},
    {"without its dot",                       BYTES("tidings"),           false},
    {"longer",                                BYTES("tidingsx.gap"),      false},
    {"in capitals",                           BYTES("Tidings.gap"),       false},
    {"behind something",                      BYTES("x.tidings.gap"),     false},
    {"nothing",                               BYTES(""),                  false},
};

static const struct claim_row selector_rows[] = {
    {"a channel",                             BYTES("orders.eu"),         true},
    {"a star",                                BYTES("*"),                 true},
    {"a greater",                             BYTES(">"),                 true},
    {"a star last",                           BYTES("orders.*"),          true},
    {"a star first",                          BYTES("*.orders"),          true},
    {"stars and greater",                     BYTES("*.a.*.>"),           true},
    {"a greater last",                        BYTES("orders.>"),          true},
    {"200 bytes",                             BYTES(HUNDRED HUNDRED),     true},
    {"201 bytes",                             BYTES(HUNDRED HUNDRED "1"), false},
    {"nothing",                               BYTES(""),                  false},
    {"a greater first",                       BYTES(">.orders"),          false},
    {"a greater inside",                      BYTES("a.>.b"),             false},
    {"two greaters",                          BYTES("a.>>"),              false},
    {"a star in a word",                      BYTES("ord*"),              false},
    {"two stars",                             BYTES("**"),                false},
    {"a greater in a word",                   BYTES("a>"),                false},
    {"an empty token",                        BYTES("a..>"),              false},
    {"a dot last",                            BYTES("a.*."),              false},
    {"a comma",                               BYTES("a,b"),               false},
};

static const struct claim_row pattern_rows[] = {
    {"a channel",                             BYTES("orders.eu"),         false},
    {"a star",                                BYTES("orders.*.x"),        true},
    {"a greater",                             BYTES("orders.>"),          true},
    {"nothing",                               BYTES(""),                  false},
};

static const struct match_row {
    const char *selector, *channel;
    bool is_match;
} match_rows[] = {
    /* selector     channel        match                                    */
    {"a",           "a",           true},
    {"a",           "b",           false},
    {"a",           "ab",          false},
    {"ab",          "a",           false},
    {"a.b",         "a.b",         true},
    {"a",           "a.b",         false},
    {"a.b",         "a",           false},
    {"*",           "a",           true},
    {"*",           "a.b",         false},
    {"*.*",         "a.b",         true},
    {"*.*",         "a",           false},
    {"a.*",         "a.b",         true},
    {"a.*",         "a",           false},
    {"a.*",         "a.b.c",       false},
    {"a.*",         "b.b",         false},
    {"*.b",         "a.b",         true},
    {"*.b",         "a.c",         false},
    {"a.*.c",       "a.b.c",       true},
    {"a.*.c",       "a.b.d",       false},
    {">",           "a",           true},
    {">",           "a.b.c",       true},
    {"a.>",         "a.b",         true},
    {"a.>",         "a.b.c.d",     true},
    {"a.>",         "a",           false},
    {"a.>",         "ab.c",        false},
    {"*.>",         "a.b",         true},
    {"*.>",         "a",           false},
    {"a.*.>",       "a.b.c",       true},
    {"a.*.>",       "a.b",         false},
};
/* clang-format on */

static void check_claims(const struct claim_row *rows, size_t count,
                         bool (*ask)(struct text text))
{
    size_t i;

    for (i = 0; i < count; i++)
        if (ask(rows[i].text) != rows[i].is_true)
            fail_msg("%s: should be %s", rows[i].claim,
                     rows[i].is_true ? "true" : "false");
}

static void utf8_is_as_rfc_3629_has_it(void **state)
{
    (void)state;
    check_claims(utf8_rows, COUNT(utf8_rows), utf8_is_valid);
}

static void a_channel_is_tokens_joined_by_dots(void **state)
{
    (void)state;
    check_claims(channel_rows, COUNT(channel_rows), channel_name_is_valid);
}

static void a_type_is_a_short_line_of_text(void **state)
{
    (void)state;
    check_claims(type_rows, COUNT(type_rows), event_type_is_valid);
}

static void types_with_our_prefix_are_reserved(void **state)
{
    (void)state;
    check_claims(reserved_rows, COUNT(reserved_rows), event_type_is_reserved);
}

static void a_selector_is_a_channel_or_a_pattern(void **state)
{
    (void)state;
    check_claims(selector_rows, COUNT(selector_rows), selector_is_valid);
    check_claims(pattern_rows, COUNT(pattern_rows), selector_is_pattern);
}

static void selectors_match_as_on_nats(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(match_rows); i++) {
        const struct match_row *row = &match_rows[i];

        if (selector_matches(text_of(row->selector), text_of(row->channel)) !=
            row->is_match)
            fail_msg("%s and %s: should %smatch", row->selector, row->channel,
                     row->is_match ? "" : "not ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_as_rfc_3629_has_it),
        cmocka_unit_test(a_channel_is_tokens_joined_by_dots),
        cmocka_unit_test(a_type_is_a_short_line_of_text),
        cmocka_unit_test(types_with_our_prefix_are_reserved),
        cmocka_unit_test(a_selector_is_a_channel_or_a_pattern),
        cmocka_unit_test(selectors_match_as_on_nats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
