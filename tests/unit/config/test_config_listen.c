/* test_config_listen.c -- the listeners: which addresses they are, and whether
 * the settings around them go together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidings/config.h>

#include <cmocka.h>

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])

/* Up to four words of the command line; NULL ends them. */
static enum status load(struct config *config, const char *const *words)
{
    char copies[4][200], why[600];
    char *argv[5];
    int count = 0;

    for (; count < 4 && words[count] != NULL; count++) {
        snprintf(copies[count], sizeof copies[count], "%s", words[count]);
        argv[count] = copies[count];
    }
    argv[count] = NULL;
    return config_load(config, count, argv, why, sizeof why);
}

static void test_loopback_addresses_are_known(void **state)
{
    static const struct {
        const char *listen;
        bool is_loopback;
    } rows[] = {
        {"--listen=127.0.0.1:8080", true},
        {"--listen=127.1.2.3:0", true},
        {"--listen=localhost:80", true},
        {"--listen=[::1]:80", true},
        {"--listen=127.0.0.1:80,[::1]:80", true},
        {"--listen=0.0.0.0:80", false},
        {"--listen=[::]:80", false},
        {"--listen=192.168.0.1:80", false},
        {"--listen=127.example.org:80", false},
        {"--listen=[::2]:80", false},
        {"--listen=127.0.0.1.example:80", false},
        {"--listen=[::1]:80,0.0.0.0:80", false},
        {"--listen_tls=127.0.0.1:80", true},
        {"--listen_tls=127.0.0.1:80,[::]:80", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config;

        assert_int_equal(
            load(&config, (const char *const[]){rows[i].listen, NULL}), ST_OK);
        assert_int_equal(config_is_loopback(&config), rows[i].is_loopback);
        config_fini(&config);
    }
}

static void test_what_is_no_list_of_addresses_is_refused(void **state)
{
    static const char *const rows[] = {
        "8080",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:80",
        ",",
        "127.0.0.1:80,",
        ",127.0.0.1:80",
        "127.0.0.1:80,,127.0.0.1:81",
        "127.0.0.1:80, 127.0.0.1:81",
        "127.0.0.1:80,0.0.0.0",
    };
    static const char *const names[] = {"listen", "listen_tls"};

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        struct config config;
        char word[80];

        snprintf(word, sizeof word, "--%s=%s", names[i % 2], rows[i / 2]);
        assert_int_equal(load(&config, (const char *const[]){word, NULL}),
                         ST_BAD_INPUT);
    }
}

static void test_each_address_of_a_list_has_its_turn(void **state)
{
    struct text address;
    size_t cursor = 0;

    (void)state;
    assert_int_equal(config_count_addresses(""), 0);
    assert_int_equal(config_count_addresses("a:1"), 1);
    assert_int_equal(config_count_addresses("a:1,[::1]:2,c:3"), 3);
    assert_true(config_next_address("a:1,[::1]:2", &cursor, &address));
    assert_true(text_is(address, "a:1"));
    assert_true(config_next_address("a:1,[::1]:2", &cursor, &address));
    assert_true(text_is(address, "[::1]:2"));
    assert_false(config_next_address("a:1,[::1]:2", &cursor, &address));
}

static void test_settings_that_do_not_go_together_are_told(void **state)
{
    static const char many[] =
        "--listen=a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,"
        "a:15,a:16";
    static const struct {
        const char *words[4], *told; /* NULL: they do */
    } rows[] = {
        {{"--listen=a:1"}, NULL},
        {{"--listen_tls=a:1", "--tls_certificate=c"}, NULL},
        {{"--listen=", "--listen_tls=a:1", "--tls_certificate=c"}, NULL},
        {{"--tls_redirect", "--listen_tls=a:1", "--tls_certificate=c"}, NULL},
        {{many}, NULL},
        {{"--listen="}, "both empty"},
        {{"--listen_tls=a:1"}, "tls_certificate"},
        {{"--tls_redirect"}, "listen_tls"},
        {{many, "--listen_tls=a:1", "--tls_certificate=c"}, "16"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config;
        char why[200] = "";

        assert_int_equal(load(&config, rows[i].words), ST_OK);
        assert_int_equal(config_check_listeners(&config, why, sizeof why),
                         rows[i].told == NULL ? ST_OK : ST_BAD_INPUT);
        if (rows[i].told != NULL)
            assert_non_null(strstr(why, rows[i].told));
        config_fini(&config);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loopback_addresses_are_known),
        cmocka_unit_test(test_what_is_no_list_of_addresses_is_refused),
        cmocka_unit_test(test_each_address_of_a_list_has_its_turn),
        cmocka_unit_test(test_settings_that_do_not_go_together_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
