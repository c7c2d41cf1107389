/* publish_nats.c -- events out by NATS.
 *
 * With a reply each event is a request: Tidings answers {"id":N} after its
 * commit, and only then comes the next, so that the order is the order given.
 * Without, events are published one behind the other and finish waits until the
 * NATS server has them all; whether Tidings was there to hear them nobody says.
 *
 * Who we are to NATS the server's settings say: nats_user, nats_ca and their
 * like, from its file or the environment. On the command line they would be
 * everybody's to read.
 *
 * Type, key and time go as headers. An event without a type goes without it,
 * so data that is an envelope {"type":..,"data":..} is still taken apart by the
 * server.
 */
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <tidings/check.h>
#include <tidings/config.h>
#include <tidings/event.h>
#include <tidings/nats_login.h>
#include <tidings/wire.h>

#include "command.h"
#include "json_tokens.h"
#include "publish_command.h"

#define WHY_BYTES 600
#define REPLY_MS  10000
#define FINISH_MS 30000

struct nats_way {
    natsConnection *connection;
    struct buffer subject; /* ended by NUL */
    bool wants_reply;
};

/* The server's settings, for the sake of those that say who we are. */
static enum status load_settings(const char *url, const char *file,
                                 struct config *config, char *why,
                                 size_t why_bytes)
{
    char nats_flag[] = "--nats", config_flag[] = "--config";
    char *words[] = {nats_flag, must_strdup(url), config_flag,
                     must_strdup(file)};
    const int count = file[0] != '\0' ? 4 : 2;
    const enum status st = config_load(config, count, words, why, why_bytes);

    free(words[1]);
    free(words[3]);
    return st;
}

static void say_no_connection(const char *url, natsStatus status)
{
    struct buffer shown;

    buffer_init(&shown);
    urls_append_masked(&shown, text_of(url));
    (void)cli_fail(EXIT_FAILED, "cannot connect to NATS at %.*s: %s",
                   TEXT_ARGS(buffer_text(&shown)), natsStatus_GetText(status));
    buffer_fini(&shown);
}

static bool connect_way(struct nats_way *way, const struct config *config)
{
    const struct nats_login login = nats_login_of(config);
    natsOptions *options = NULL;
    natsStatus status = NATS_OK;
    char why[WHY_BYTES];
    enum status st = nats_login_check(&login, why, sizeof why);

    CHECK(natsOptions_Create(&options) == NATS_OK);
    if (st == ST_OK)
        st = nats_login_apply(&login, options, why, sizeof why);
    if (st == ST_OK)
        status = natsConnection_Connect(&way->connection, options);
    natsOptions_Destroy(options);
    if (st != ST_OK)
        (void)cli_fail(EXIT_FAILED, "%s", why);
    else if (status != NATS_OK)
        say_no_connection(config->nats, status);
    return st == ST_OK && status == NATS_OK;
}

struct nats_way *nats_way_open(const char *url, const char *config_file,
                               const char *prefix, const char *channel,
                               bool wants_reply)
{
    struct nats_way *way;
    struct config config;
    char why[WHY_BYTES];

    if (load_settings(url, config_file, &config, why, sizeof why) != ST_OK) {
        (void)cli_fail(EXIT_FAILED, "%s", why);
        return NULL;
    }
    way = must_calloc(1, sizeof *way);
    buffer_printf(&way->subject, "%s.%s", prefix, channel);
    buffer_append_char(&way->subject, '\0');
    way->wants_reply = wants_reply;
    if (!connect_way(way, &config))
        nats_way_close(&way);
    config_fini(&config);
    return way;
}

void nats_way_close(struct nats_way **way)
{
    struct nats_way *mine = *way;

    *way = NULL;
    if (mine == NULL)
        return;
    natsConnection_Destroy(mine->connection);
    buffer_fini(&mine->subject);
    free(mine);
    nats_Close();
}

/* ---- one event -------------------------------------------------------------
 */

static natsStatus set_header(natsMsg *msg, const char *name, struct text value)
{
    char string[EVENT_KEY_MAX_BYTES + 1] /* the longest of them */;

    if (value.length == 0)
        return NATS_OK;
    CHECK(value.length < sizeof string);
    memcpy(string, value.bytes, value.length);
    string[value.length] = '\0';
    return natsMsgHeader_Set(msg, name, string);
}

static natsStatus make_message(const struct nats_way *way,
                               const struct outgoing *event, natsMsg **msg_out)
{
    natsMsg *msg = NULL;
    natsStatus status =
        natsMsg_Create(&msg, way->subject.bytes, NULL, event->data.bytes,
                       (int)event->data.length);

    if (status == NATS_OK)
        status = set_header(msg, "Event-Type", event->type);
    if (status == NATS_OK)
        status = set_header(msg, "Nats-Msg-Id", event->key);
    if (status == NATS_OK)
        status = set_header(msg, "Event-Time", event->time);
    if (status == NATS_OK)
        status = set_header(msg, "Corrects", event->corrects);
    if (status == NATS_OK)
        status = set_header(msg, "Withdraws", event->withdraws);
    if (status == NATS_OK)
        *msg_out = msg;
    else
        natsMsg_Destroy(msg);
    return status;
}

/* {"id":N} or {"error":"..","message":".."} */
static int read_reply(struct text reply)
{
    struct json_tokens json;
    struct buffer shown;
    int exit_code = EXIT_DONE;
    int id = -1;

    buffer_init(&shown);
    if (json_tokens_init(&json, reply) == ST_OK) {
        id = json_member(&json, 0, "id");
        json_append_shown(&json, json_member(&json, 0, "message"), &shown);
        if (shown.length == 0)
            json_append_shown(&json, json_member(&json, 0, "error"), &shown);
    }
    if (id >= 0)
        printf("%.*s\n", TEXT_ARGS(json_raw(&json, id)));
    else
        exit_code = cli_fail(EXIT_FAILED, "the server refuses: %.*s",
                             (int)shown.length, shown.bytes);
    json_tokens_fini(&json);
    buffer_fini(&shown);
    return exit_code;
}

static int send_failed(natsStatus status)
{
    if (status == NATS_NO_RESPONDERS)
        return cli_fail(EXIT_FAILED, "no Tidings listens to that subject at "
                                     "this NATS server");
    if (status == NATS_TIMEOUT)
        return cli_fail(EXIT_FAILED,
                        "no reply in %d s: it may have been "
                        "stored or not; a --key makes trying "
                        "again safe",
                        REPLY_MS / 1000);
    return cli_fail(EXIT_FAILED, "NATS: %s", natsStatus_GetText(status));
}

static int send_message(const struct nats_way *way, natsMsg *msg)
{
    natsMsg *reply = NULL;
    natsStatus status;
    int exit_code;

    if (!way->wants_reply) {
        status = natsConnection_PublishMsg(way->connection, msg);
        return status == NATS_OK ? EXIT_DONE : send_failed(status);
    }
    status = natsConnection_RequestMsg(&reply, way->connection, msg, REPLY_MS);
    if (status != NATS_OK)
        return send_failed(status);
    exit_code = read_reply((struct text){natsMsg_GetData(reply),
                                         (size_t)natsMsg_GetDataLength(reply)});
    natsMsg_Destroy(reply);
    return exit_code;
}

int nats_way_send(struct nats_way *way, const struct outgoing *events,
                  unsigned count)
{
    int exit_code = EXIT_DONE;

    for (unsigned i = 0; i < count && exit_code == EXIT_DONE; i++) {
        natsMsg *msg = NULL;
        const natsStatus status = make_message(way, &events[i], &msg);

        if (status != NATS_OK)
            return send_failed(status);
        exit_code = send_message(way, msg);
        natsMsg_Destroy(msg);
    }
    return exit_code;
}

int nats_way_finish(struct nats_way *way)
{
    const natsStatus status =
        natsConnection_FlushTimeout(way->connection, FINISH_MS);

    return status == NATS_OK ? EXIT_DONE : send_failed(status);
}
