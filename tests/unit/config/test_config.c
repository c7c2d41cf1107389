/* test_config.c -- every mistake has its sentence, every value its meaning.
 *
 * Files are written into a directory of the test's own, which is also where it
 * runs: so a tidings.conf that lies about elsewhere is not read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <tidings/config.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])
#define FLAGS_MAX      8

static char directory[] = "/tmp/tidings-test-XXXXXX";

static int enter_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL && chdir(directory) == 0 ? 0 : -1;
}

static int leave_directory(void **state)
{
    (void)state;
    (void)unlink("t.conf");
    (void)unlink("tidings.conf");
    return chdir("/") == 0 && rmdir(directory) == 0 ? 0 : -1;
}

static void write_file(const char *name, const char *content, size_t length)
{
    FILE *file = fopen(name, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Loads with the words of `line`, which are separated by one space each. */
static enum status load(struct config *config, const char *line, char *why,
                        size_t why_bytes)
{
    static char words[400];
    char *argv[FLAGS_MAX];
    int argc = 0;

    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word != NULL;
         word = strtok(NULL, " ")) {
        assert_true(argc < FLAGS_MAX);
        argv[argc++] = word;
    }
    why[0] = '\0';
    return config_load(config, argc, argv, why, why_bytes);
}

static void assert_loads(struct config *config, const char *flags)
{
    char why[600];

    if (load(config, flags, why, sizeof why) != ST_OK)
        fail_msg("\"%s\": %s", flags, why);
}

static void assert_file_loads(struct config *config, const char *content)
{
    write_file("t.conf", content, strlen(content));
    assert_loads(config, "--config t.conf");
}

/* ---- mistakes ------------------------------------------------------------ */

/* clang-format off */
static const struct {
    const char *content, *sentence;
} bad_files[] = {
    {"retry_ms\n",
     "t.conf:1: \"retry_ms\" is no \"name = value\""},
    {"# fine\n\n retry = 3s\n",
     "t.conf:3: unknown setting \"retry\"; did you mean retry_ms?"},
    {"keepalve_ms = 3s\n",
     "t.conf:1: unknown setting \"keepalve_ms\"; did you mean keepalive_ms?"},
    {"something_else = 3s\n",
     "t.conf:1: unknown setting \"something_else\""},
    {" = 3\n",
     "t.conf:1: unknown setting \"\""},
    {"retry_ms = 1s\nretry-ms = 2s\n",
     "t.conf:2: retry_ms is already set in line 1"},
    {"retry_ms =\n",
     "t.conf:1: retry_ms must be a whole number (ms; may be followed by one of: ms s m h d), not \"\""},
    {"retry_ms = soon\n",
     "t.conf:1: retry_ms must be a whole number (ms; may be followed by one of: ms s m h d), not \"soon\""},
    {"retry_ms = 1.5s\n",
     "t.conf:1: retry_ms must be a whole number (ms; may be followed by one of: ms s m h d), not \"1.5s\""},
    {"retry_ms = 1K\n",
     "t.conf:1: retry_ms must be a whole number (ms; may be followed by one of: ms s m h d), not \"1K\""},
    {"keep_bytes = 1s\n",
     "t.conf:1: keep_bytes must be a whole number (bytes; may be followed by one of: K M G T), not \"1s\""},
    {"first_id = 1K\n",
     "t.conf:1: first_id must be a whole number (id), not \"1K\""},
    {"retry_ms = 0\n",
     "t.conf:1: retry_ms must be from 1 to 3600000 ms, not 0"},
    {"retry_ms = 2h\n",
     "t.conf:1: retry_ms must be from 1 to 3600000 ms, not 2h"},
    {"keep_count = -1\n",
     "t.conf:1: keep_count must be from 0 to 1000000000000 events, not -1"},
    {"retry_ms = 99999999999999999999999999\n",
     "t.conf:1: retry_ms must be from 1 to 3600000 ms, not 99999999999999999999999999"},
    {"keep_bytes = 9223372036854775807T\n",
     "t.conf:1: keep_bytes must be from 0 to 17592186044416 bytes, not 9223372036854775807T"},
    {"insecure = perhaps\n",
     "t.conf:1: insecure must be yes or no (also true, false, on, off), not \"perhaps\""},
    {"envelope = sometimes\n",
     "t.conf:1: envelope must be one of auto|always|never, not \"sometimes\""},
    {"envelope = aut\n",
     "t.conf:1: envelope must be one of auto|always|never, not \"aut\""},
    {"listen = 8080\n",
     "t.conf:1: listen must be address:port, such as 127.0.0.1:8080 or [::1]:0, or several with commas between them"},
    {"data = \"\"\n",
     "t.conf:1: data must be the name of a directory"},
    {"data = a\x01" "b\n",
     "t.conf:1: data must be text without control characters"},
    {"nats = nats://a, nats://b\n",
     "t.conf:1: nats must be NATS URLs with commas between them and no spaces"},
    {"origins = *\n",
     "t.conf:1: origins must be exact origins with commas between them, such as https://www.example.org,http://localhost:3000: no path, and never * or null"},
    {"nats_prefix = events.>\n",
     "t.conf:1: nats_prefix must be a subject: letters, digits, _ and -, tokens joined by dots"},
    {"data = \"open\n",
     "t.conf:1: the quotes of data are not closed properly; inside them only \\\" and \\\\ are escapes"},
    {"data = \"a\" b\n",
     "t.conf:1: the quotes of data are not closed properly; inside them only \\\" and \\\\ are escapes"},
    {"data = \"a\\n\"\n",
     "t.conf:1: the quotes of data are not closed properly; inside them only \\\" and \\\\ are escapes"},
    {"[chanel a]\n",
     "t.conf:1: \"[chanel a]\" is no section: they begin with [channel PATTERN]"},
    {"[channel]\n",
     "t.conf:1: \"[channel]\" is no section: they begin with [channel PATTERN]"},
    {"[channel a\n",
     "t.conf:1: \"[channel a\" is no section: they begin with [channel PATTERN]"},
    {"[channel a..b]\n",
     "t.conf:1: the section's pattern must be a channel or a pattern such as orders.* or orders.>"},
    {"[channel ]\n",
     "t.conf:1: the section's pattern must be a channel or a pattern such as orders.* or orders.>"},
    {"[channel a]\n[channel b]\n[channel a]\n",
     "t.conf:3: there is already a section of this pattern"},
    {"[channel a]\nretry_ms = 1s\n",
     "t.conf:2: retry_ms is a setting of the whole server: put it above the first section"},
    {"keepalive = message\n",
     "t.conf:1: keepalive belongs into a [channel PATTERN] section"},
    {"[channel a]\nkeepalive = loud\n",
     "t.conf:2: keepalive must be one of comment|message, not \"loud\""},
    {"[channel a]\nkeep_cont = 5\n",
     "t.conf:2: unknown setting \"keep_cont\"; did you mean keep_count?"},
    {"[channel a]\nkeep_count = 1\nkeep_count = 2\n",
     "t.conf:3: keep_count is already set in line 2"},
    {"retry_ms = 1s\r\nretry = 2s\r\n",
     "t.conf:2: unknown setting \"retry\"; did you mean retry_ms?"},
};

static const struct {
    const char *flags, *sentence;
} bad_flags[] = {
    {"stray",            "\"stray\" is no flag: settings are given as --name value"},
    {"-x",               "\"-x\" is no flag: settings are given as --name value"},
    {"--",               "\"--\" is no flag: settings are given as --name value"},
    {"--=3",             "\"--=3\" is no flag: settings are given as --name value"},
    {"--insecure stray", "\"stray\" is no flag: settings are given as --name value"},
    {"--haed-ms 1",      "--haed-ms: no such setting; did you mean --head_ms?"},
    {"--frobnicate",     "--frobnicate: no such setting"},
    {"--head_ms",        "--head_ms: needs a value (time for a request's head)"},
    {"--head_ms --insecure", "--head_ms: needs a value (time for a request's head)"},
    {"--head_ms=1",      "--head_ms: head_ms must be from 10 to 600000 ms, not 1"},
    {"--insecure=maybe", "--insecure: insecure must be yes or no (also true, false, on, off), not \"maybe\""},
    {"--config",         "--config: needs the name of a file"},
    {"--config=",        "--config: needs the name of a file"},
    {"--config no-such-file", "no-such-file: cannot be opened: No such file or directory"},
    {"--config .",       ".: cannot be read"},
};

static const struct {
    const char *name, *value, *sentence;
} bad_environments[] = {
    {"TIDINGS_HEAD_MS", "x",
     "environment: TIDINGS_HEAD_MS: head_ms must be a whole number (ms; may be followed by one of: ms s m h d), not \"x\""},
    {"TIDINGS_KEEPALVE_MS", "100",
     "environment: TIDINGS_KEEPALVE_MS is no setting; did you mean the one for keepalive_ms?"},
};
/* clang-format on */

static void test_a_mistake_in_a_file_is_told_with_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_files); i++) {
        struct config config;
        char why[600];

        write_file("t.conf", bad_files[i].content,
                   strlen(bad_files[i].content));
        assert_int_equal(load(&config, "--config t.conf", why, sizeof why),
                         ST_BAD_INPUT);
        assert_string_equal(why, bad_files[i].sentence);
        config_fini(&config); /* harmless after a failure */
    }
}

static void test_a_mistake_in_the_flags_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_flags); i++) {
        struct config config;
        char why[600];

        assert_int_equal(load(&config, bad_flags[i].flags, why, sizeof why),
                         ST_BAD_INPUT);
        assert_string_equal(why, bad_flags[i].sentence);
    }
}

static void test_a_mistake_in_the_environment_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_environments); i++) {
        struct config config;
        char why[600];

        assert_int_equal(
            setenv(bad_environments[i].name, bad_environments[i].value, 1), 0);
        assert_int_equal(load(&config, "", why, sizeof why), ST_BAD_INPUT);
        assert_string_equal(why, bad_environments[i].sentence);
        assert_int_equal(unsetenv(bad_environments[i].name), 0);
    }
}

static void test_odd_bytes_in_a_file_are_told(void **state)
{
    static const char with_nul[] = "\ndata = a\0b\n";
    struct config config;
    char *huge = calloc(1, (1 << 20) + 2);
    char why[600];

    (void)state;
    write_file("t.conf", with_nul, sizeof with_nul - 1);
    assert_int_equal(load(&config, "--config t.conf", why, sizeof why),
                     ST_BAD_INPUT);
    assert_string_equal(why, "t.conf:2: there is a NUL byte in this line");

    assert_non_null(huge);
    memset(huge, '\n', (1 << 20) + 1);
    write_file("t.conf", huge, (1 << 20) + 1);
    free(huge);
    assert_int_equal(load(&config, "--config t.conf", why, sizeof why),
                     ST_BAD_INPUT);
    assert_string_equal(why, "t.conf: is larger than 1 MiB: no settings file");
}

/* A sentence longer than the caller's text is cut, not written past it. */
static void test_a_short_text_for_the_sentence_is_enough(void **state)
{
    struct config config;
    char why[8];

    (void)state;
    assert_int_equal(load(&config, "stray", why, sizeof why), ST_BAD_INPUT);
    assert_int_equal(strlen(why), sizeof why - 1);
}

/* ---- values -------------------------------------------------------------- */

static void test_defaults_are_those_of_the_table(void **state)
{
    struct config config;

    (void)state;
    config_init(&config);
    assert_string_equal(config.listen, "127.0.0.1:8080");
    assert_int_equal(config.keep_age_ms, 604800000);
    assert_false(config.insecure);
    assert_true(config.nats_rejected);
    assert_string_equal(config.envelope, "auto");
    assert_int_equal(config.channel_count, 0);
    assert_null(config_channel(&config, text_of("a")));
    config_fini(&config);
}

/* clang-format off */
static const struct {
    const char *line;
    size_t offset;
    int64_t value;
} numbers[] = {
    {"retry_ms = 1500",        offsetof(struct config, retry_ms),    1500},
    {"retry_ms=1500ms",        offsetof(struct config, retry_ms),    1500},
    {"retry_ms = 2 s",         offsetof(struct config, retry_ms),    2000},
    {"retry-ms = 1m # so",     offsetof(struct config, retry_ms),    60000},
    {"\tretry_ms\t=\t1h\t\r",  offsetof(struct config, retry_ms),    3600000},
    {"retry_ms = \"2s\"",      offsetof(struct config, retry_ms),    2000},
    {"keep_age_ms = 7d",       offsetof(struct config, keep_age_ms), 604800000},
    {"longpoll_busy_s = 2m",   offsetof(struct config, longpoll_busy_s), 120},
    {"keep_bytes = 3K",        offsetof(struct config, keep_bytes),  3072},
    {"keep_bytes = 2M",        offsetof(struct config, keep_bytes),  2097152},
    {"keep_bytes = 1G",        offsetof(struct config, keep_bytes),  1073741824},
    {"keep_bytes = 16T",       offsetof(struct config, keep_bytes),  17592186044416},
    {"keep_count = 5K",        offsetof(struct config, keep_count),  5000},
    {"channels_max = 2M",      offsetof(struct config, channels_max), 2000000},
    {"first_id = 9007199254740991", offsetof(struct config, first_id), 9007199254740991},
};

static const struct {
    const char *line;
    bool value;
} flags[] = {
    {"insecure = yes", true}, {"insecure = true", true}, {"insecure = on", true}, {"insecure = 1", true},
    {"insecure = no", false}, {"insecure = false", false}, {"insecure = off", false}, {"insecure = 0", false},
};

static const struct {
    const char *line, *value;
} words[] = {
    {"data = a b",             "a b"},
    {"data = a#b",             "a#b"},
    {"data = a #b",            "a"},
    {"data = \"a #b\" # so",   "a #b"},
    {"data = \"a \\\" \\\\\"", "a \" \\"},
    {"data = \" x \"",         " x "},
    {"data = a=b",             "a=b"},
    {"data = Gruy\xc3\xa8re",  "Gruy\xc3\xa8re"},
    {"\xef\xbb\xbf" "data = x", "x"},
};
/* clang-format on */

static void test_numbers_carry_units(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct config config;
        int64_t value;

        assert_file_loads(&config, numbers[i].line);
        memcpy(&value, (char *)&config + numbers[i].offset, sizeof value);
        assert_int_equal(value, numbers[i].value);
        config_fini(&config);
    }
}

static void test_flags_and_words_are_read(void **state)
{
    struct config config;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        assert_file_loads(&config, flags[i].line);
        assert_int_equal(config.insecure, flags[i].value);
        config_fini(&config);
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        assert_file_loads(&config, words[i].line);
        assert_string_equal(config.data, words[i].value);
        config_fini(&config);
    }
}

static void test_flags_stand_alone_or_with_a_word(void **state)
{
    struct config config;

    (void)state;
    assert_loads(&config, "--insecure --head-ms=50 --retry_ms 2s");
    assert_true(config.insecure);
    assert_int_equal(config.head_ms, 50);
    assert_int_equal(config.retry_ms, 2000);
    config_fini(&config);

    assert_loads(&config, "--nats_rejected no --insecure=yes --envelope never");
    assert_false(config.nats_rejected);
    assert_true(config.insecure);
    assert_string_equal(config.envelope, "never");
    config_fini(&config);

    assert_loads(&config, "--data=--odd --head_ms 20 --head_ms 30");
    assert_string_equal(config.data, "--odd");
    assert_int_equal(config.head_ms, 30); /* the last one */
    config_fini(&config);
}

/* ---- sources ------------------------------------------------------------- */

static void test_flag_beats_environment_beats_file_beats_default(void **state)
{
    static const char content[] = "head_ms = 111\nbody_ms = 111\nidle_ms = 111";
    struct config config;

    (void)state;
    write_file("t.conf", content, sizeof content - 1);
    assert_int_equal(setenv("TIDINGS_BODY_MS", "222", 1), 0);
    assert_int_equal(setenv("TIDINGS_IDLE_MS", "222", 1), 0);
    assert_loads(&config, "--idle_ms 333 --config=t.conf");
    assert_int_equal(config.stall_ms, 30000);
    assert_int_equal(config.head_ms, 111);
    assert_int_equal(config.body_ms, 222);
    assert_int_equal(config.idle_ms, 333);
    config_fini(&config);
    assert_int_equal(unsetenv("TIDINGS_BODY_MS"), 0);
    assert_int_equal(unsetenv("TIDINGS_IDLE_MS"), 0);
}

static void test_strangers_in_the_environment_are_left_alone(void **state)
{
    struct config config;

    (void)state;
    assert_int_equal(setenv("TIDINGS_SERVICE_HOST", "10.0.0.1", 1), 0);
    assert_int_equal(setenv("TIDINGS_PORT", "tcp://10.0.0.1:80", 1), 0);
    assert_loads(&config, "");
    config_fini(&config);
    assert_int_equal(unsetenv("TIDINGS_SERVICE_HOST"), 0);
    assert_int_equal(unsetenv("TIDINGS_PORT"), 0);
}

static void test_tidings_conf_is_read_unless_another_is_named(void **state)
{
    struct config config;

    (void)state;
    write_file("tidings.conf", "head_ms = 444", 13);
    write_file("t.conf", "body_ms = 555", 13);
    assert_loads(&config, "");
    assert_int_equal(config.head_ms, 444);
    config_fini(&config);
    assert_loads(&config, "--config t.conf");
    assert_int_equal(config.head_ms, 10000);
    assert_int_equal(config.body_ms, 555);
    config_fini(&config);
    assert_int_equal(unlink("tidings.conf"), 0);
}

/* ---- channels ------------------------------------------------------------ */

static void test_the_first_section_that_covers_a_channel_counts(void **state)
{
    const struct channel_config *found;
    struct config config;

    (void)state;
    assert_file_loads(&config, "head_ms = 50\n"
                               "[channel orders.1] # one\n"
                               "keep_count = 1\n"
                               "[channel  orders.> ]\n"
                               "keep_age_ms = 1h\n"
                               "keepalive = message\n");
    assert_int_equal(config.channel_count, 2);
    found = config_channel(&config, text_of("orders.1"));
    assert_non_null(found);
    assert_string_equal(found->pattern, "orders.1");
    assert_int_equal(found->keep_count, 1);
    assert_int_equal(found->keep_age_ms, -1); /* not said there */
    assert_string_equal(found->keepalive, "comment");
    found = config_channel(&config, text_of("orders.2.x"));
    assert_non_null(found);
    assert_int_equal(found->keep_age_ms, 3600000);
    assert_string_equal(found->keepalive, "message");
    assert_null(config_channel(&config, text_of("orders")));
    config_fini(&config);
}

/* ---- print --------------------------------------------------------------- */

/* What config_print says, in `out`. */
static void printed(const struct config *config, char *out, size_t room)
{
    FILE *file = tmpfile();
    size_t length;

    assert_non_null(file);
    config_print(config, file);
    rewind(file);
    length = fread(out, 1, room - 1, file);
    assert_true(length < room - 1);
    out[length] = '\0';
    assert_int_equal(fclose(file), 0);
}

static void test_what_is_printed_loads_to_the_same(void **state)
{
    static const char *const contents[] = {
        "",
        "data = \" \\\"a\\\\ # b\"\ninsecure = yes\nnats_rejected = no\n"
        "listen = [::1]:0\nnats = nats://a:1,nats://b:2\nenvelope = never\n"
        "keep_bytes = 16T\nretry_ms = 1h\nfirst_id = 1\n",
        "port_file = #\n[channel a.*]\nkeep_bytes = 1M\n"
        "[channel >]\nkeepalive = message\nkeep_age_ms = 0\n",
    };
    static char first[32768], second[32768];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        struct config config;

        assert_file_loads(&config, contents[i]);
        printed(&config, first, sizeof first);
        config_fini(&config);
        assert_file_loads(&config, first);
        printed(&config, second, sizeof second);
        config_fini(&config);
        assert_string_equal(first, second);
    }
    assert_non_null(strstr(second, "\n[channel a.*]\nkeep_bytes = 1048576\n"));
    assert_null(strstr(second, "= -1"));
}

static void test_help_has_every_setting_with_its_range(void **state)
{
    FILE *file = tmpfile();
    static char text[32768];
    size_t length;

    (void)state;
    assert_non_null(file);
    config_help(file);
    rewind(file);
    length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    assert_int_equal(fclose(file), 0);
#define NUMBER(name, initial, least, most, unit, help)                         \
    assert_non_null(strstr(text, "--" #name " "));
#define FLAG(name, initial, unit, help)                                        \
    assert_non_null(strstr(text, "--" #name " "));
#define WORD   FLAG
#define CHOICE FLAG
    SETTINGS(NUMBER, FLAG, WORD, CHOICE)
#undef NUMBER
#undef FLAG
#undef WORD
#undef CHOICE
    assert_non_null(strstr(text, "(1 to 3600000 ms; default 3000)"));
    assert_non_null(strstr(text, "(auto|always|never; default auto)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mistake_in_a_file_is_told_with_its_line),
        cmocka_unit_test(test_a_mistake_in_the_flags_is_told),
        cmocka_unit_test(test_a_mistake_in_the_environment_is_told),
        cmocka_unit_test(test_odd_bytes_in_a_file_are_told),
        cmocka_unit_test(test_a_short_text_for_the_sentence_is_enough),
        cmocka_unit_test(test_defaults_are_those_of_the_table),
        cmocka_unit_test(test_numbers_carry_units),
        cmocka_unit_test(test_flags_and_words_are_read),
        cmocka_unit_test(test_flags_stand_alone_or_with_a_word),
        cmocka_unit_test(test_flag_beats_environment_beats_file_beats_default),
        cmocka_unit_test(test_strangers_in_the_environment_are_left_alone),
        cmocka_unit_test(test_tidings_conf_is_read_unless_another_is_named),
        cmocka_unit_test(test_the_first_section_that_covers_a_channel_counts),
        cmocka_unit_test(test_what_is_printed_loads_to_the_same),
        cmocka_unit_test(test_help_has_every_setting_with_its_range),
    };

    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
