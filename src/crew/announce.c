/* announce.c -- what concerns every stream: a shutdown begins, keys change.
 *
 * Each connection that is here when it begins is looked at once: the list is
 * turned round, its first becoming its last, as often as there are connections.
 * Who comes meanwhile finds the shutdown and the keys when it subscribes and
 * needs no visit; who goes makes a visit too many somewhere, which does no harm.
 * What begins while a round is under way begins the round anew, for both. A turn
 * looks at a bounded number and ends a bounded number, so that a hundred thousand
 * streams do not stand between a publisher and its commit.
 */
#include "inside.h"

#include "base/seeded_bug.h"

enum { LOOKS_PER_TURN = 4096, ENDS_PER_TURN = 512 };

static void begin_round(struct crew *crew)
{
    crew->announce_left = crew_load(crew);
}

void announce_begin(struct crew *crew, int64_t until_wall_ms)
{
    crew->announced_until_ms = until_wall_ms;
    if (until_wall_ms != 0)
        begin_round(crew);
}

void announce_keys(struct crew *crew)
{
    begin_round(crew);
}

static bool has_begun(const struct connection *connection)
{
    return connection->state == CONNECTION_STREAMING ||
           connection->state == CONNECTION_WAITING;
}

static bool is_withdrawn(const struct connection *connection)
{
    return connection->grant != NULL &&
           !keyring_holds(connection->crew->keyring, connection->grant) &&
           !seeded_bug("withdrawal-ignored");
}

/* True: it was ended, or will be. */
static bool visit(struct connection *connection, bool is_shut)
{
    if (!has_begun(connection))
        return false;
    if (connection->calls->revoked != NULL && is_withdrawn(connection)) {
        connection->calls->revoked(connection);
        return true;
    }
    if (!is_shut || connection->calls->announced == NULL)
        return false;
    connection->calls->announced(connection);
    return true;
}

void announce_some(struct crew *crew)
{
    const bool is_shut = crew->announce_left > 0 && crew_is_shut(crew);
    unsigned looks = 0, ends = 0;

    for (; crew->announce_left > 0 && looks < LOOKS_PER_TURN &&
           ends < ENDS_PER_TURN;
         looks++, crew->announce_left--) {
        struct list_node *node = crew->connections.next;
        struct connection *connection =
            CONTAINER_OF(node, struct connection, all);

        if (node == &crew->connections) {
            crew->announce_left = 0;
            return;
        }
        list_remove(node);
        list_append(&crew->connections, node);
        ends += visit(connection, is_shut);
    }
}
