/* websocket_handshake.c -- may this request become a WebSocket (RFC 6455, 4.2)?
 *
 * Headers are noted one by one, since each that holds a list may come more than
 * once; what they say together is judged at the end. The rows of the table are
 * asked in its order, so a client hears of the first thing that is wrong: 426
 * when it would do well to ask in another way, 400 when it made a mistake.
 *
 * The key is no secret and its hash proves nothing but that the server has read
 * the handshake: no cache or form can be made to say it by accident.
 */
#include <tidings/websocket.h>

#include <tidings/check.h>

#include <openssl/evp.h>

#include <string.h>
#include <strings.h>

#define KEY_BYTES     24 /* base64 of sixteen */
#define HASH_BYTES    20
#define ACCEPT_SUFFIX "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

const char websocket_upgrade_headers[] = "Connection: Upgrade\r\n"
                                         "Upgrade: websocket\r\n"
                                         "Sec-WebSocket-Version: 13\r\n";

/* clang-format off */
/*    wrong if                              status  sentence                  */
#define HANDSHAKE_REFUSALS(R)                                                  \
    R(!handshake->has_upgrade,                 426, "flavor websocket needs an upgrade: the header Upgrade: websocket") \
    R(!request->is_get,                        400, "an upgrade to WebSocket is a GET") \
    R(request->is_http_10,                     400, "an upgrade to WebSocket needs HTTP/1.1") \
    R(request->has_body,                       400, "a request for an upgrade has no body") \
    R(!handshake->has_connection,              400, "an upgrade needs the header Connection: Upgrade") \
    R(handshake->version_count != 1 ||                                         \
      !text_is(handshake->version, "13"),      426, "the version of WebSocket here is 13") \
    R(handshake->key_count != 1 ||                                             \
      !is_key(handshake->key),                 400, "Sec-WebSocket-Key is sixteen bytes in base64, once")
/* clang-format on */

static struct text trimmed(struct text text)
{
    while (text.length > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
        text.bytes++;
        text.length--;
    }
    while (text.length > 0 && (text.bytes[text.length - 1] == ' ' ||
                               text.bytes[text.length - 1] == '\t'))
        text.length--;
    return text;
}

static bool is_word(struct text text, const char *word)
{
    return text.length == strlen(word) &&
           strncasecmp(text.bytes, word, text.length) == 0;
}

/* The next item of a list with commas; false at its end. */
static bool next_item(struct text *list, struct text *item_out)
{
    const char *comma;

    if (list->length == 0)
        return false;
    comma = memchr(list->bytes, ',', list->length);
    *item_out = *list;
    if (comma == NULL) {
        list->length = 0;
    } else {
        item_out->length = (size_t)(comma - list->bytes);
        list->bytes = comma + 1;
        list->length -= item_out->length + 1;
    }
    *item_out = trimmed(*item_out);
    return true;
}

static bool names(struct text list, const char *word)
{
    struct text item;

    while (next_item(&list, &item))
        if (is_word(item, word))
            return true;
    return false;
}

/* Names of protocols are compared as they are. */
static bool offers(struct text list, const char *protocol)
{
    struct text item;

    while (next_item(&list, &item))
        if (text_is(item, protocol))
            return true;
    return false;
}

void websocket_note_header(struct websocket_handshake *handshake,
                           struct text name, struct text value)
{
    if (is_word(name, "Upgrade"))
        handshake->has_upgrade |= names(value, "websocket");
    else if (is_word(name, "Connection"))
        handshake->has_connection |= names(value, "upgrade");
    else if (is_word(name, "Sec-WebSocket-Protocol"))
        handshake->has_protocol |= offers(value, WEBSOCKET_PROTOCOL);
    else if (is_word(name, "Sec-WebSocket-Version")) {
        handshake->version = trimmed(value);
        handshake->version_count++;
    } else if (is_word(name, "Sec-WebSocket-Key")) {
        handshake->key = trimmed(value);
        handshake->key_count++;
    }
}

static bool is_key(struct text key)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    if (key.length != KEY_BYTES ||
        memcmp(key.bytes + KEY_BYTES - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < KEY_BYTES - 2; i++)
        if (memchr(alphabet, key.bytes[i], sizeof alphabet - 1) == NULL)
            return false;
    return true;
}

enum status websocket_check(const struct websocket_handshake *handshake,
                            const struct websocket_request *request,
                            unsigned *http_status_out, const char **why_out)
{
#define R(is_wrong, http_status, sentence)                                     \
    if (is_wrong) {                                                            \
        *http_status_out = (http_status);                                      \
        *why_out = (sentence);                                                 \
        return ST_BAD_INPUT;                                                   \
    }
    HANDSHAKE_REFUSALS(R)
#undef R
    return ST_OK;
}

void websocket_accept(struct text key, char out[WEBSOCKET_ACCEPT_BYTES + 1])
{
    unsigned char hashed[KEY_BYTES + sizeof ACCEPT_SUFFIX - 1];
    unsigned char hash[HASH_BYTES];
    unsigned char encoded[WEBSOCKET_ACCEPT_BYTES + 1];

    CHECK(key.length == KEY_BYTES);
    memcpy(hashed, key.bytes, KEY_BYTES);
    memcpy(hashed + KEY_BYTES, ACCEPT_SUFFIX, sizeof ACCEPT_SUFFIX - 1);
    CHECK(EVP_Digest(hashed, sizeof hashed, hash, NULL, EVP_sha1(), NULL) == 1);
    CHECK(EVP_EncodeBlock(encoded, hash, HASH_BYTES) == WEBSOCKET_ACCEPT_BYTES);
    memcpy(out, encoded, sizeof encoded);
}
