/* command.c -- how a command asks a server, and says that it failed. */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>

#include "http_client.h"
#include "json_tokens.h"

#define HTTP_OK 200

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

int cli_ask(struct http_client *client, const struct http_call *call,
            struct buffer *answer)
{
    unsigned http_status = 0;
    enum status st = http_client_ask(client, call, &http_status);

    if (st == ST_OK)
        st = http_client_read_all(client, answer);
    if (st != ST_OK)
        return cli_fail(EXIT_FAILED, "%s", http_client_why(client));
    if (http_status != HTTP_OK)
        return cli_refused(http_status, answer->length > 0 ? buffer_text(answer)
                                                           : text_of(""));
    return EXIT_DONE;
}
