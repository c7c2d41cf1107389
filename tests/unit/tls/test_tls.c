/* test_tls.c -- a link against OpenSSL's own client over a socket pair: what is
 * sent arrives, whole and in order, whatever the socket takes at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <tidings/check.h>
#include <tidings/platform.h>
#include <tidings/tls.h>

/* ---- a pair of key and certificate ---------------------------------------------- */

static const char pair_file[] = "test_tls.pem";

static X509 *sign(EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1),
                     1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 86400));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static void write_pair(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = sign(key);
    FILE *file = fopen(pair_file, "w");

    assert_non_null(file);
    assert_int_equal(chmod(pair_file, 0600), 0);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                     1);
    assert_int_equal(fclose(file), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* ---- the two ends ------------------------------------------------------------------ */

struct ends {
    struct tls *tls;
    int ours, theirs; /* sockets; theirs does not block either */
    struct tls_link *link;
    SSL *client;
};

static void make_sockets(struct ends *ends, int send_bytes)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fcntl(pair[i], F_SETFL, O_NONBLOCK), 0);
        (void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &send_bytes,
                         sizeof send_bytes);
    }
    ends->ours = pair[0];
    ends->theirs = pair[1];
}

static void open_ends(struct ends *ends, int version, int send_bytes)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    char why[200] = "";

    memset(ends, 0, sizeof *ends);
    write_pair();
    assert_int_equal(tls_open(pair_file, "", &ends->tls, why, sizeof why),
                     ST_OK);
    make_sockets(ends, send_bytes);
    ends->link = tls_link_create(ends->tls, ends->ours);
    assert_int_equal(SSL_CTX_set_min_proto_version(context, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(context, version), 1);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ends->client = SSL_new(context);
    SSL_CTX_free(context);
    assert_int_equal(SSL_set_fd(ends->client, ends->theirs), 1);
    SSL_set_connect_state(ends->client);
}

static void close_ends(struct ends *ends)
{
    tls_link_destroy(&ends->link);
    SSL_free(ends->client);
    tls_close(&ends->tls);
    close(ends->ours);
    close(ends->theirs);
    unlink(pair_file);
}

static void shake_hands(struct ends *ends)
{
    bool is_done[2] = {false, false};
    const char *why = "";

    for (int i = 0; i < 100 && !(is_done[0] && is_done[1]); i++) {
        if (!is_done[0])
            is_done[0] = SSL_do_handshake(ends->client) == 1;
        if (!is_done[1])
            is_done[1] = tls_link_handshake(ends->link, &why) == ST_OK;
    }
    assert_true(is_done[0] && is_done[1]);
}

/* The byte that belongs at a place of the stream. */
static char byte_at(size_t place)
{
    return (char)(place * 7 + place / 251);
}

/* ---- reading ------------------------------------------------------------------------- */

/* Three records of different sizes are there at once: one read or two give all,
 * and then the socket is as empty as the link. */
static void nothing_is_left_inside_after_a_read(void **state)
{
    const int *version = *state;
    static const size_t sizes[] = {1, 16384, 100, 16384, 16384, 3, 9000};
    static char text[65536], room[65536];
    struct ends ends;
    size_t sent = 0, received = 0, total = 0;
    enum status st = ST_OK;
    char byte;

    open_ends(&ends, *version, 1 << 20);
    shake_hands(&ends);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = byte_at(i);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(SSL_write(ends.client, text + sent, (int)sizes[i]),
                         sizes[i]);
        sent += sizes[i];
    }
    while (total < sent) {
        st = tls_link_read(ends.link, room, sizeof room, &received);
        assert_int_equal(st, ST_OK);
        assert_memory_equal(room, text + total, received);
        total += received;
        if (recv(ends.ours, &byte, 1, MSG_PEEK) != 1)
            break; /* poll would say: nothing there */
    }
    assert_int_equal(total, sent);
    assert_int_equal(tls_link_read(ends.link, room, sizeof room, &received),
                     ST_EMPTY);
    close_ends(&ends);
}

/* Bytes of the client's records reach us one at a time. */
static void a_record_may_come_in_single_bytes(void **state)
{
    const int *version = *state;
    static char room[TLS_RECORD_BYTES];
    struct ends ends;
    BIO *records = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    size_t received = 0;
    long length;

    open_ends(&ends, *version, 1 << 20);
    shake_hands(&ends);
    SSL_set0_wbio(ends.client, records);
    assert_int_equal(SSL_write(ends.client, "hello", 5), 5);
    length = BIO_get_mem_data(records, &bytes);
    for (long i = 0; i < length; i++) {
        assert_int_equal(tls_link_read(ends.link, room, sizeof room, &received),
                         ST_EMPTY);
        assert_int_equal(write(ends.theirs, bytes + i, 1), 1);
    }
    assert_int_equal(tls_link_read(ends.link, room, sizeof room, &received),
                     ST_OK);
    assert_int_equal(received, 5);
    assert_memory_equal(room, "hello", 5);
    close_ends(&ends);
}

static void a_handshake_may_come_in_single_bytes(void **state)
{
    const int *version = *state;
    struct ends ends;
    BIO *records = BIO_new(BIO_s_mem());
    const char *why = "";
    enum status st = ST_EMPTY;

    open_ends(&ends, *version, 1 << 20);
    SSL_set0_wbio(ends.client, records);
    for (int i = 0; i < 10 && st != ST_OK; i++) {
        char *bytes = NULL;
        long length;

        (void)SSL_do_handshake(ends.client);
        length = BIO_get_mem_data(records, &bytes);
        for (long j = 0; j < length; j++) {
            st = tls_link_handshake(ends.link, &why);
            assert_int_equal(st, ST_EMPTY);
            assert_int_equal(write(ends.theirs, bytes + j, 1), 1);
        }
        (void)BIO_reset(records);
        st = tls_link_handshake(ends.link, &why);
    }
    assert_int_equal(st, ST_OK);
    close_ends(&ends);
}

/* What is cut off in the middle of a record is no data, only an end. */
static void a_truncated_record_is_an_end(void **state)
{
    const int *version = *state;
    static char room[TLS_RECORD_BYTES];
    struct ends ends;
    BIO *records = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    size_t received = 0;
    long length;

    open_ends(&ends, *version, 1 << 20);
    shake_hands(&ends);
    SSL_set0_wbio(ends.client, records);
    assert_int_equal(SSL_write(ends.client, "hello", 5), 5);
    length = BIO_get_mem_data(records, &bytes);
    assert_int_equal(write(ends.theirs, bytes, (size_t)length - 1), length - 1);
    assert_int_equal(shutdown(ends.theirs, SHUT_WR), 0);
    assert_int_equal(tls_link_read(ends.link, room, sizeof room, &received),
                     ST_CLOSED);
    assert_true(tls_link_has_ended(ends.link));
    close_ends(&ends);
}

static void a_changed_byte_ends_the_link_for_good(void **state)
{
    const int *version = *state;
    static char room[TLS_RECORD_BYTES];
    struct iovec piece = {room, 1};
    struct ends ends;
    BIO *records = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    size_t count = 0;
    long length;

    open_ends(&ends, *version, 1 << 20);
    shake_hands(&ends);
    SSL_set0_wbio(ends.client, records);
    assert_int_equal(SSL_write(ends.client, "hello", 5), 5);
    length = BIO_get_mem_data(records, &bytes);
    bytes[length - 1] ^= 1;
    assert_int_equal(write(ends.theirs, bytes, (size_t)length), length);
    assert_int_equal(tls_link_read(ends.link, room, sizeof room, &count),
                     ST_CLOSED);
    assert_int_equal(tls_link_writev(ends.link, &piece, 1, &count), ST_CLOSED);
    tls_link_end(ends.link); /* harmless */
    close_ends(&ends);
}

/* The end comes behind bytes, and no event follows it: the link knows. */
static void an_end_behind_bytes_is_seen_with_them(void **state)
{
    const int *version = *state;
    static char room[65536];
    struct ends ends;
    size_t received = 0;

    open_ends(&ends, *version, 1 << 20);
    shake_hands(&ends);
    assert_int_equal(SSL_write(ends.client, "last", 4), 4);
    assert_int_equal(SSL_shutdown(ends.client), 0);
    assert_int_equal(tls_link_read(ends.link, room, sizeof room, &received),
                     ST_OK);
    assert_int_equal(received, 4);
    assert_true(tls_link_has_ended(ends.link));
    close_ends(&ends);
}

/* ---- writing ------------------------------------------------------------------------- */

enum { PIECES = 64, PIECE_MAX = 40000 };

/* What is still to be sent, as an outbox has it: from `sent` on, in pieces. */
static unsigned gather(const char *all, size_t sent, size_t end,
                       struct iovec *pieces)
{
    static const size_t sizes[] = {5,     300, 20000,     1,
                                   16384, 17,  PIECE_MAX, 1000};
    unsigned count = 0;
    size_t place = 0;

    /* The borders of pieces stay where they are, whatever was sent. */
    for (unsigned i = 0; place < end && count < PIECES; i++) {
        size_t next = place + sizes[i % 8];
        char *unchanged;

        if (next > end)
            next = end;
        if (next > sent) {
            const char *from = all + (place > sent ? place : sent);

            memcpy(&unchanged, &from, sizeof unchanged);
            pieces[count].iov_base = unchanged;
            pieces[count++].iov_len = (size_t)(all + next - from);
        }
        place = next;
    }
    return count;
}

/* Little room in the socket, a reader that takes a bit now and then, and a
 * queue that grows meanwhile: each byte arrives once and in its place. */
static void writes_go_on_where_they_were(void **state)
{
    const int *version = *state;
    enum { TOTAL = 3000000, GROWTH = 50000 };
    char *all = must_malloc(TOTAL);
    static char room[TLS_RECORD_BYTES];
    struct ends ends;
    size_t queued = 0, sent = 0, received = 0;
    unsigned full = 0;

    open_ends(&ends, *version, 30000);
    shake_hands(&ends);
    for (size_t i = 0; i < TOTAL; i++)
        all[i] = byte_at(i);
    while (received < TOTAL) {
        struct iovec pieces[PIECES];
        unsigned count;
        size_t now = 0;
        int got;

        queued = queued + GROWTH < TOTAL ? queued + GROWTH : TOTAL;
        count = gather(all, sent, queued, pieces);
        if (count > 0) {
            enum status st = tls_link_writev(ends.link, pieces, count, &now);

            assert_true(st == ST_OK || st == ST_FULL);
            full += st == ST_FULL;
            sent += now;
        }
        got = SSL_read(ends.client, room, sizeof room);
        if (got <= 0)
            continue;
        assert_memory_equal(room, all + received, (size_t)got);
        received += (size_t)got;
    }
    assert_int_equal(sent, TOTAL);
    assert_true(full > 0);
    free(all);
    close_ends(&ends);
}

/* Either side may change its keys (TLS 1.3), and what was sent before and after
 * arrives. */
static void keys_may_change_in_the_middle(void **state)
{
    static char room[65536];
    struct iovec piece = {(char[]){"ours"}, 4};
    struct ends ends;

    (void)state;
    open_ends(&ends, TLS1_3_VERSION, 1 << 20);
    shake_hands(&ends);
    for (int round = 0; round < 50; round++) {
        size_t count = 0;

        assert_int_equal(
            SSL_key_update(ends.client, round % 2
                                            ? SSL_KEY_UPDATE_REQUESTED
                                            : SSL_KEY_UPDATE_NOT_REQUESTED),
            1);
        assert_int_equal(SSL_write(ends.client, "theirs", 6), 6);
        assert_int_equal(tls_link_read(ends.link, room, sizeof room, &count),
                         ST_OK);
        assert_int_equal(count, 6);
        assert_int_equal(tls_link_writev(ends.link, &piece, 1, &count), ST_OK);
        assert_int_equal(count, 4);
        assert_int_equal(SSL_read(ends.client, room, sizeof room), 4);
    }
    close_ends(&ends);
}

static void the_end_is_said(void **state)
{
    const int *version = *state;
    struct ends ends;
    char room[10];

    open_ends(&ends, *version, 1 << 20);
    tls_link_end(ends.link); /* too early: nothing to say */
    shake_hands(&ends);
    tls_link_end(ends.link);
    assert_true(SSL_read(ends.client, room, sizeof room) <= 0);
    assert_int_equal(SSL_get_shutdown(ends.client) & SSL_RECEIVED_SHUTDOWN,
                     SSL_RECEIVED_SHUTDOWN);
    close_ends(&ends);
}

static void renegotiation_is_refused(void **state)
{
    static char room[TLS_RECORD_BYTES];
    struct ends ends;
    size_t received = 0;

    (void)state;
    open_ends(&ends, TLS1_2_VERSION, 1 << 20);
    shake_hands(&ends);
    assert_int_equal(SSL_renegotiate(ends.client), 1);
    (void)SSL_do_handshake(ends.client);
    assert_true(tls_link_read(ends.link, room, sizeof room, &received) !=
                ST_OK);
    (void)SSL_do_handshake(ends.client);
    assert_int_equal(SSL_num_renegotiations(ends.client), 1); /* asked, once */
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    ERR_clear_error();
    close_ends(&ends);
}

/* ---- the pair ------------------------------------------------------------------------ */

static void a_link_outlives_the_pair_that_it_was_made_with(void **state)
{
    const int *version = *state;
    static char room[TLS_RECORD_BYTES];
    struct ends ends;
    size_t received = 0;
    char why[200] = "";

    open_ends(&ends, *version, 1 << 20);
    shake_hands(&ends);
    write_pair(); /* another one */
    assert_int_equal(tls_reload(ends.tls, why, sizeof why), ST_OK);
    assert_int_equal(SSL_write(ends.client, "old", 3), 3);
    assert_int_equal(tls_link_read(ends.link, room, sizeof room, &received),
                     ST_OK);
    assert_int_equal(received, 3);
    close_ends(&ends);
}

static void what_cannot_be_used_is_told(void **state)
{
    struct tls *tls = NULL;
    char why[200] = "";

    (void)state;
    assert_int_equal(tls_open("nowhere.pem", "", &tls, why, sizeof why),
                     ST_BAD_INPUT);
    assert_non_null(strstr(why, "No such file"));
    write_pair();
    assert_int_equal(chmod(pair_file, 0604), 0);
    assert_int_equal(tls_open(pair_file, "", &tls, why, sizeof why),
                     ST_BAD_INPUT);
    assert_non_null(strstr(why, "everybody"));
    assert_int_equal(chmod(pair_file, 0640), 0);
    assert_int_equal(tls_open(pair_file, NULL, &tls, why, sizeof why), ST_OK);
    assert_true(tls_expires_s(tls) > 0);

    assert_int_equal(truncate(pair_file, 100), 0);
    assert_int_equal(tls_reload(tls, why, sizeof why), ST_BAD_INPUT);
    tls_close(&tls);
    unlink(pair_file);
}

/* ---- the caller ---------------------------------------------------------------------- */

static void a_caller_checks_whom_it_talks_to(void **state)
{
    static const struct {
        struct tls_trust trust;
        enum status st;
    } rows[] = {
        {{.is_anybody = true}, ST_OK},
        {{.file = NULL}, ST_CLOSED}, /* the system does not know it */
    };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct tls_caller *caller = NULL;
        struct buffer bytes;
        struct ends ends;
        const char *reason = "";
        char why[200] = "", room[4096];
        enum status st = ST_EMPTY;

        open_ends(&ends, TLS1_3_VERSION, 1 << 20);
        buffer_init(&bytes);
        assert_int_equal(tls_caller_create("localhost", &rows[i].trust, &caller,
                                           why, sizeof why),
                         ST_OK);
        for (int turn = 0; turn < 10 && st == ST_EMPTY; turn++) {
            ssize_t got;

            st = tls_caller_handshake(caller, why, sizeof why);
            bytes.length = 0;
            tls_caller_take(caller, &bytes);
            if (bytes.length > 0)
                assert_int_equal(write(ends.theirs, bytes.bytes, bytes.length),
                                 bytes.length);
            if (tls_link_handshake(ends.link, &reason) == ST_BAD_INPUT)
                assert_true(reason[0] != 0);
            got = read(ends.theirs, room, sizeof room);
            if (got > 0)
                tls_caller_feed(caller, (struct text){room, (size_t)got});
        }
        assert_int_equal(st, rows[i].st);
        if (st != ST_OK)
            assert_non_null(strstr(why, "self"));
        tls_caller_destroy(&caller);
        buffer_fini(&bytes);
        close_ends(&ends);
    }
}

int main(void)
{
    static int old = TLS1_2_VERSION, present = TLS1_3_VERSION;
#define EACH(name)                                                             \
    {"1.2 " #name, name, NULL, NULL, &old},                                    \
    {                                                                          \
        "1.3 " #name, name, NULL, NULL, &present                               \
    }
    static const struct CMUnitTest tests[] = {
        EACH(nothing_is_left_inside_after_a_read),
        EACH(a_record_may_come_in_single_bytes),
        EACH(a_handshake_may_come_in_single_bytes),
        EACH(a_truncated_record_is_an_end),
        EACH(a_changed_byte_ends_the_link_for_good),
        EACH(an_end_behind_bytes_is_seen_with_them),
        EACH(writes_go_on_where_they_were),
        EACH(the_end_is_said),
        EACH(a_link_outlives_the_pair_that_it_was_made_with),
        cmocka_unit_test(keys_may_change_in_the_middle),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(what_cannot_be_used_is_told),
        cmocka_unit_test(a_caller_checks_whom_it_talks_to),
    };
#undef EACH

    platform_ignore_sigpipe();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
