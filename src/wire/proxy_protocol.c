/* proxy_protocol.c -- PROXY protocol, versions 1 and 2, strictly.
 *
 *     1   "PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n", or TCP6, or UNKNOWN
 *         and anything up to the end of the line; 107 bytes at most
 *     2   twelve bytes that are no text, version and command, family and
 *         transport, two bytes of length; then addresses and ports, then TLVs
 *
 * What names no client that we could count (UNKNOWN, the command LOCAL, a
 * family that is neither IPv4 nor IPv6, unix sockets among them) is the proxy's
 * own business: the connection is then its own. TLVs are skipped. Of the rest of
 * version 1 nothing is tolerated: one space between the words, addresses of the
 * family that was named, ports without a leading zero.
 */
#include <tidings/proxy_protocol.h>

enum { LINE_MAX_BYTES = 107, FIXED_BYTES = 16 };

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static bool is_start_of(struct text bytes, const char *whole, size_t length)
{
    return memcmp(bytes.bytes, whole,
                  bytes.length < length ? bytes.length : length) == 0;
}

/* ---- version 1 ------------------------------------------------------------- */

/* Cuts a word and the space behind it off the line. */
static bool take_word(struct text *line, struct text *word_out)
{
    const char *space =
        line->length > 0 ? memchr(line->bytes, ' ', line->length) : NULL;
    size_t length = line->length;

    *word_out = *line;
    if (space != NULL)
        length = (size_t)(space - line->bytes);
    word_out->length = length;
    line->bytes += space != NULL ? length + 1 : length;
    line->length -= space != NULL ? length + 1 : length;
    return length > 0;
}

static bool is_port(struct text word)
{
    unsigned number = 0;

    if (word.length == 0 || word.length > 5 ||
        (word.bytes[0] == '0' && word.length > 1))
        return false;
    for (size_t i = 0; i < word.length; i++) {
        if (word.bytes[i] < '0' || word.bytes[i] > '9')
            return false;
        number = number * 10 + (unsigned)(word.bytes[i] - '0');
    }
    return number <= 65535;
}

static bool is_written_as(struct text word, bool is_four)
{
    return (memchr(word.bytes, ':', word.length) == NULL) == is_four;
}

/* Two addresses and two ports, and nothing behind them. */
static bool parse_addresses(struct text line, bool is_four,
                            struct address *source_out)
{
    struct text source, destination, from_port, to_port;
    struct address unused;

    if (line.length == 0 || line.bytes[line.length - 1] == ' ')
        return false;
    return take_word(&line, &source) && take_word(&line, &destination) &&
           take_word(&line, &from_port) && take_word(&line, &to_port) &&
           line.length == 0 && is_written_as(source, is_four) &&
           is_written_as(destination, is_four) &&
           address_parse(source, source_out) &&
           address_parse(destination, &unused) && is_port(from_port) &&
           is_port(to_port);
}

static enum status parse_line(struct text bytes, struct proxy_header *header)
{
    const char *end = memchr(bytes.bytes, '\n', bytes.length);
    struct text line = bytes, word;

    if (end == NULL)
        return bytes.length < LINE_MAX_BYTES ? ST_EMPTY : ST_BAD_INPUT;
    line.length = (size_t)(end - bytes.bytes);
    header->bytes = line.length + 1;
    if (header->bytes > LINE_MAX_BYTES || line.bytes[line.length - 1] != '\r')
        return ST_BAD_INPUT;
    line.length--;
    if (!take_word(&line, &word) || !text_is(word, "PROXY") ||
        !take_word(&line, &word))
        return ST_BAD_INPUT;
    if (text_is(word, "UNKNOWN"))
        return ST_OK;
    header->has_address = true;
    if (text_is(word, "TCP4"))
        return parse_addresses(line, true, &header->source) ? ST_OK
                                                            : ST_BAD_INPUT;
    if (text_is(word, "TCP6"))
        return parse_addresses(line, false, &header->source) ? ST_OK
                                                             : ST_BAD_INPUT;
    return ST_BAD_INPUT;
}

/* ---- version 2 ------------------------------------------------------------- */

/* clang-format off */
/*        family, transport  address bytes    what it is             */
#define FAMILIES(F)                                                   \
    F(0x11,                  4,               "TCP over IPv4")        \
    F(0x21,                  16,              "TCP over IPv6")
/* clang-format on */

static unsigned address_bytes(unsigned family)
{
    switch (family) {
#define F(number, bytes, what)                                                 \
    case number:                                                               \
        return bytes;
        FAMILIES(F)
#undef F
    }
    return 0;
}

static enum status parse_addressed(const unsigned char *at, unsigned family,
                                   size_t length, struct proxy_header *header)
{
    const unsigned bytes = address_bytes(family);

    if (bytes == 0)
        return ST_OK; /* of no family that we count */
    if (length < 2 * bytes + 4)
        return ST_BAD_INPUT;
    header->has_address = true;
    if (bytes == 4)
        header->source = address_of_ipv4(at);
    else
        memcpy(header->source.bytes, at, sizeof header->source.bytes);
    return ST_OK;
}

static enum status parse_binary(struct text bytes, struct proxy_header *header)
{
    const unsigned char *at = (const unsigned char *)bytes.bytes;
    size_t length;

    if (bytes.length > 12 && at[12] != 0x20 && at[12] != 0x21)
        return ST_BAD_INPUT; /* another version or command */
    if (bytes.length < FIXED_BYTES)
        return ST_EMPTY;
    length = (size_t)at[14] << 8 | at[15];
    header->bytes = FIXED_BYTES + length;
    if (header->bytes > PROXY_HEADER_MAX_BYTES)
        return ST_BAD_INPUT;
    if (bytes.length < header->bytes)
        return ST_EMPTY;
    return at[12] == 0x20
               ? ST_OK
               : parse_addressed(at + FIXED_BYTES, at[13], length, header);
}

enum status proxy_header_parse(struct text bytes,
                               struct proxy_header *header_out)
{
    struct proxy_header header = {.bytes = 0};
    enum status st = ST_BAD_INPUT;

    if (bytes.length == 0)
        return ST_EMPTY;
    if (is_start_of(bytes, "PROXY ", 6))
        st = parse_line(bytes, &header);
    else if (is_start_of(bytes, signature, sizeof signature))
        st = parse_binary(bytes, &header);
    if (st == ST_OK)
        *header_out = header;
    return st;
}
