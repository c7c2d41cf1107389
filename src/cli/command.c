/* command.c -- how a command says that it failed, or was refused. */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>

#include "json_tokens.h"

int cli_fail(int exit_code, const char *format, ...)
{
    va_list arguments;

    (void)fflush(stdout); /* what was done stands above why it ended */
    fputs("tidings: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return exit_code;
}

int cli_refused(unsigned http_status, struct text answer)
{
    struct json_tokens json;
    struct buffer sentence;

    buffer_init(&sentence);
    if (json_tokens_init(&json, answer) == ST_OK)
        json_append_shown(&json, json_member(&json, 0, "message"), &sentence);
    json_tokens_fini(&json);
    if (sentence.length == 0)
        buffer_append_string(&sentence, "it does not say why");
    (void)cli_fail(EXIT_FAILED, "the server refuses (%u): %.*s", http_status,
                   TEXT_ARGS(buffer_text(&sentence)));
    buffer_fini(&sentence);
    return EXIT_FAILED;
}
