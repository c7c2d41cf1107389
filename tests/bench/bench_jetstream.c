/* bench_jetstream.c -- how fast nats.c itself publishes to a stream.
 *
 *     bench_jetstream URL SUBJECT MILLISECONDS BYTES UNACKNOWLEDGED
 *
 * The yardstick of HTTP publishes that go through a stream: js_PublishAsync with so
 * many unacknowledged at most, then all acknowledgements. Prints a JSON line.
 */
#include "bench_base.h"

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX 4096 /* what the server takes here */
#define PATIENCE_MS 30000
#define LOOK_EVERY  64 /* publishes between looks at the clock */
#define DATA_MAX    65536

static void must(natsStatus status, const char *what)
{
    if (status != NATS_OK)
        bench_die("%s: %s", what, natsStatus_GetText(status));
}

static jsCtx *connect_to(const char *url, int unacknowledged,
                         natsConnection **connection)
{
    jsOptions options;
    jsCtx *js = NULL;

    must(natsConnection_ConnectTo(connection, url), "connect");
    must(jsOptions_Init(&options), "options");
    options.PublishAsync.MaxPending = unacknowledged;
    options.PublishAsync.StallWait =
        PATIENCE_MS; /* a busy disk takes its time */
    must(natsConnection_JetStream(&js, *connection, &options), "jetstream");
    return js;
}

static void measure(jsCtx *js, const char *subject, int64_t duration_ms,
                    int bytes)
{
    static char data[DATA_MAX];
    const int64_t begin_ns = bench_now_ns();
    jsPubOptions patience;
    uint64_t count = 0;
    int64_t total_ns;

    memset(data, 'x', sizeof data);
    do {
        for (unsigned i = 0; i < LOOK_EVERY; i++, count++)
            must(js_PublishAsync(js, subject, data, bytes, NULL), "publish");
    } while (bench_now_ns() - begin_ns < duration_ms * 1000000);
    must(jsPubOptions_Init(&patience), "options");
    patience.MaxWait = PATIENCE_MS;
    must(js_PublishAsyncComplete(js, &patience), "acknowledgements");
    total_ns = bench_now_ns() - begin_ns;
    printf("{\"published\":%llu,\"published_s\":%.0f}\n",
           (unsigned long long)count, (double)count * 1e9 / (double)total_ns);
}

int main(int argc, char **argv)
{
    natsConnection *connection = NULL;
    jsCtx *js;

    if (argc != 6 || atoi(argv[4]) < 1 || atoi(argv[4]) > DATA_MAX ||
        atoi(argv[5]) < 1 || atoi(argv[5]) > PENDING_MAX)
        bench_die("bench_jetstream URL SUBJECT MILLISECONDS BYTES "
                  "UNACKNOWLEDGED");
    js = connect_to(argv[1], atoi(argv[5]), &connection);
    measure(js, argv[2], atoll(argv[3]), atoi(argv[4]));
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
    nats_Close();
    return EXIT_SUCCESS;
}
