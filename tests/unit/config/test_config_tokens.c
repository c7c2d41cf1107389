/* test_config_tokens.c -- the settings of tokens: lists, and a secret that is
 * kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidings/config.h>

#include <cmocka.h>

/* One word of the command line; the answer is in `why`. */
static enum status load(struct config *config, const char *flag, char *why,
                        size_t why_bytes)
{
    char word[200];
    char *argv[] = {word, NULL};

    snprintf(word, sizeof word, "%s", flag);
    why[0] = '\0';
    return config_load(config, 1, argv, why, why_bytes);
}

/* clang-format off */
static const struct {
    const char *flag, *sentence;
} bad_flags[] = {
    {"--token_keys=a,,b",
     "--token_keys: token_keys must be names of files with commas between them"},
    {"--token_keys=a,",
     "--token_keys: token_keys must be names of files with commas between them"},
    {"--anonymous_subscribe=a,b..c",
     "--anonymous_subscribe: anonymous_subscribe must be channels and patterns with commas between them, such as news,prices.*"},
    {"--token-secret=0123456789abcdef0123456789abcdef",
     "--token_secret: everybody on this machine can read flags; a secret goes into the environment or the file"},
};
/* clang-format on */

static void test_a_mistake_is_told_and_no_secret(void **state)
{
    struct config config;
    char why[600];

    (void)state;
    for (size_t i = 0; i < sizeof bad_flags / sizeof bad_flags[0]; i++) {
        assert_int_equal(load(&config, bad_flags[i].flag, why, sizeof why),
                         ST_BAD_INPUT);
        assert_string_equal(why, bad_flags[i].sentence);
    }
}

/* Not what it is: the page may be sent to somebody for advice. */
static void test_a_secret_is_never_printed(void **state)
{
    static char text[32768];
    struct config config;
    FILE *file = tmpfile();
    char why[600];
    size_t length;

    (void)state;
    assert_non_null(file);
    assert_int_equal(setenv("TIDINGS_TOKEN_SECRET", "keep-this", 1), 0);
    assert_int_equal(load(&config, "--insecure", why, sizeof why), ST_OK);
    assert_int_equal(unsetenv("TIDINGS_TOKEN_SECRET"), 0);
    assert_string_equal(config.token_secret, "keep-this");
    config_print(&config, file);
    config_fini(&config);
    rewind(file);
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    assert_int_equal(fclose(file), 0);
    assert_null(strstr(text, "keep-this"));
    assert_non_null(strstr(text, "\n# token_secret is set, and a secret\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mistake_is_told_and_no_secret),
        cmocka_unit_test(test_a_secret_is_never_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
