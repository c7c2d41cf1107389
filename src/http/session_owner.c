/* session_owner.c -- from an owner and a name to the name in the journal.
 *
 * That is the SHA-256 of both, so that it fits whatever the sub is, and nobody
 * finds another's session or keeps others from a name by taking it first. The
 * journal and its sessions know nothing of this. A `sub` may hold anything, a
 * name no NUL: the last NUL of what is hashed stands between them.
 *
 * Without keys a session is known by its name alone, to whoever knows that.
 */
#include "session_owner.h"

#include "access.h"

#include "base/seeded_bug.h"

#include <tidings/crew.h>

#include <openssl/sha.h>
#include <string.h>

static void set_key(struct session_key *key, struct text name)
{
    key->length = (uint8_t)name.length;
    memcpy(key->bytes, name.bytes, name.length);
}

static void hash_key(struct session_key *key, struct text subject,
                     struct text name)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct buffer both;

    buffer_init(&both);
    buffer_append_text(&both, subject);
    buffer_append_char(&both, '\0');
    buffer_append_text(&both, name);
    (void)SHA256((const unsigned char *)both.bytes, both.length, hash);
    buffer_fini(&both);
    key->length = 0;
    key->bytes[key->length++] = '~';
    for (unsigned i = 0; i < sizeof hash; i++) {
        key->bytes[key->length++] = digits[hash[i] >> 4];
        key->bytes[key->length++] = digits[hash[i] & 15];
    }
}

bool session_own(struct connection *connection, struct text name,
                 struct session_key *key_out)
{
    const struct text subject = access_subject(connection);

    if (!crew_needs_tokens(connection_crew(connection)) ||
        seeded_bug("session-unowned")) {
        set_key(key_out, name);
        return true;
    }
    if (connection_grant(connection) == NULL) {
        access_refuse(connection);
        return false;
    }
    if (subject.length == 0) {
        connection_refuse(connection, 403, "no_subject",
                          "a session belongs to the sub of its token, and this "
                          "token has none",
                          text_of("Cache-Control: no-store\r\n"));
        return false;
    }
    hash_key(key_out, subject, name);
    return true;
}

bool session_own_order(struct connection *connection, struct order *order)
{
    struct session_key key;

    if (!session_own(connection, order->session, &key))
        return false;
    order->session = arena_copy(&order->arena, session_key_text(&key));
    return true;
}
