/* nats_server.c -- starts nats-server and reads its output until it is ready;
 * it says there which port it got. */
#include "nats_server.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidings/check.h>

static void become_server(int output, unsigned port)
{
    char number[16];

    (void)snprintf(number, sizeof number, "%d", port > 0 ? (int)port : -1);
    (void)dup2(output, STDOUT_FILENO);
    (void)dup2(output, STDERR_FILENO);
    (void)execlp("nats-server", "nats-server", "-a", "127.0.0.1", "-p", number,
                 (char *)NULL);
    _exit(127);
}

static void read_until_ready(struct nats_server *server)
{
    static const char opening[] = "client connections on 127.0.0.1:";
    char line[500];

    while (fgets(line, sizeof line, server->output) != NULL) {
        const char *at = strstr(line, opening);

        if (at != NULL)
            server->port = (unsigned)atoi(at + sizeof opening - 1);
        if (strstr(line, "Server is ready") != NULL) {
            CHECK(server->port > 0);
            return;
        }
        if (strstr(line, "[INF]") == NULL)
            (void)fputs(line, stderr);
    }
    CHECK(!"nats-server has ended");
}

void nats_server_start(struct nats_server *server, unsigned port)
{
    int ends[2];

    CHECK(pipe(ends) == 0);
    server->port = 0;
    server->child = fork();
    CHECK(server->child >= 0);
    if (server->child == 0)
        become_server(ends[1], port);
    (void)close(ends[1]);
    server->output = fdopen(ends[0], "r");
    CHECK(server->output != NULL);
    read_until_ready(server);
    (void)snprintf(server->url, sizeof server->url, "nats://127.0.0.1:%u",
                   server->port);
}

void nats_server_kill(struct nats_server *server)
{
    if (server->child <= 0)
        return;
    (void)kill(server->child, SIGKILL);
    (void)waitpid(server->child, NULL, 0);
    (void)fclose(server->output);
    server->child = 0;
}
