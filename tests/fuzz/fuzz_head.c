/* fuzz_head.c -- heads: one verdict however they are cut, and none unclean.
 *
 * An accepted head is read again by a naive reader that knows only lines and
 * colons: it must find the end at the same place, one host, and never both a
 * length and a transfer coding.
 */
#include "fuzz.h"

#define DRIP_MAX_BYTES 2048

struct found {
    unsigned lines, hosts, lengths, codings;
};

static bool is_named(struct text line, const char *name)
{
    size_t i;

    for (i = 0; name[i] != '\0'; i++)
        if (i == line.length || (line.bytes[i] | 0x20) != (name[i] | 0x20))
            return false;
    return true;
}

static void take_line(struct found *found, struct text line)
{
    size_t i;

    for (i = 0; i < line.length; i++) {
        unsigned char c = (unsigned char)line.bytes[i];

        CHECK(c == '\t' || (c >= 0x20 && c != 0x7f));
    }
    found->lines++;
    if (found->lines == 1)
        return;
    CHECK(line.bytes[0] != ' ' && line.bytes[0] != '\t');
    CHECK(memchr(line.bytes, ':', line.length) != NULL);
    found->hosts += is_named(line, "host:");
    found->lengths += is_named(line, "content-length:");
    found->codings += is_named(line, "transfer-encoding:");
}

static void check_accepted(struct text bytes, const struct http_head *head)
{
    struct found found = {0, 0, 0, 0};
    size_t at = 0;

    CHECK(head->bytes <= bytes.length && head->bytes >= 18);
    CHECK(memcmp(bytes.bytes + head->bytes - 4, "\r\n\r\n", 4) == 0);
    while (memcmp(bytes.bytes + at, "\r\n", 2) == 0)
        at += 2;
    CHECK(at <= 4);
    while (memcmp(bytes.bytes + at, "\r\n", 2) != 0) {
        size_t start = at;

        while (memcmp(bytes.bytes + at, "\r\n", 2) != 0)
            at++;
        take_line(&found, (struct text){bytes.bytes + start, at - start});
        at += 2;
    }
    CHECK(at + 2 == head->bytes);
    CHECK(found.lines <= 1 + HTTP_HEADERS_MAX);
    CHECK(found.hosts == 1 || (head->is_http_10 && found.hosts == 0));
    CHECK(found.lengths + found.codings <= 1);
    CHECK((head->body == HTTP_BODY_CHUNKED) == (found.codings == 1));
    CHECK((head->body == HTTP_BODY_LENGTH) == (head->content_length > 0));
}

struct verdict {
    enum status st;
    unsigned http_status;
    struct http_head head;
};

static struct verdict judge(const char *bytes, size_t length)
{
    struct verdict verdict;
    const char *why = NULL;

    memset(&verdict, 0, sizeof verdict);
    verdict.st = http_head_check((struct text){bytes, length}, &verdict.head,
                                 &verdict.http_status, &why);
    CHECK(verdict.st == ST_OK || verdict.st == ST_EMPTY ||
          verdict.st == ST_BAD_INPUT);
    CHECK((verdict.st == ST_BAD_INPUT) == (why != NULL));
    CHECK((verdict.st == ST_BAD_INPUT) == (verdict.http_status >= 400));
    return verdict;
}

static void check_drip(struct text bytes, const struct verdict *whole)
{
    struct verdict verdict = {.st = ST_EMPTY};
    size_t length;

    for (length = 0; verdict.st == ST_EMPTY && length <= bytes.length; length++)
        verdict = judge(bytes.bytes, length);
    CHECK(verdict.st == whole->st);
    CHECK(verdict.http_status == whole->http_status);
    CHECK(verdict.head.bytes == whole->head.bytes);
    if (verdict.st == ST_OK)
        CHECK(length - 1 == whole->head.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text bytes = text_of_input(data, size);
    struct verdict verdict = judge(bytes.bytes, size);

    if (verdict.st == ST_OK)
        check_accepted(bytes, &verdict.head);
    if (size <= DRIP_MAX_BYTES)
        check_drip(bytes, &verdict);
    return 0;
}
