/* announce.c -- a shutdown begins: everybody is told, a few per turn.
 *
 * Each connection that is here when it begins is looked at once: the list is
 * turned round, its first becoming its last, as often as there are connections.
 * Who comes meanwhile finds the shutdown when it subscribes and needs no visit;
 * who goes makes a visit too many somewhere, which does no harm. A turn looks
 * at a bounded number and ends a bounded number, so that a hundred thousand
 * streams do not stand between a publisher and its commit.
 */
#include "inside.h"

enum { LOOKS_PER_TURN = 4096, ENDS_PER_TURN = 512 };

void announce_begin(struct crew *crew, int64_t until_wall_ms)
{
    crew->announced_until_ms = until_wall_ms;
    crew->announce_left = until_wall_ms == 0 ? 0 : crew_load(crew);
}

static bool is_concerned(const struct connection *connection)
{
    return (connection->state == CONNECTION_STREAMING ||
            connection->state == CONNECTION_WAITING) &&
           connection->calls->announced != NULL;
}

void announce_some(struct crew *crew)
{
    unsigned looks = 0, ends = 0;

    if (crew->announce_left > 0 && !crew_is_shut(crew))
        crew->announce_left = 0; /* it was shorter than this took */
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
        if (!is_concerned(connection))
            continue;
        connection->calls->announced(connection);
        ends++;
    }
}
