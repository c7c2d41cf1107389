/* token_key.c -- `tidings token key`: a new key, in files of its own.
 *
 * The private half (or the secret) goes into a file that only its owner can
 * read, the public half beside it with `.pub` behind the name. Neither file may
 * be there already: a key that was overwritten takes all its tokens with it.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <tidings/auth.h>
#include <uv.h>

#include "command.h"
#include "options.h"
#include "token_command.h"

#define OWNER_ONLY 0600
#define EVERYBODY  0644

static const char about[] =
    "Makes a key for tokens. ALG is HS256 (one secret, which signs and "
    "checks),\n"
    "RS256, ES256 or EdDSA (a pair, as PEM: FILE signs, FILE.pub checks). "
    "Files "
    "that\nare there already are left alone. The server wants one of them in "
    "token_keys;\nfor a pair FILE.pub is enough.\n";

static int write_file(const char *path, int mode, const struct buffer *bytes)
{
    uv_buf_t buf = uv_buf_init(bytes->bytes, (unsigned)bytes->length);
    uv_fs_t request;
    int file =
        uv_fs_open(NULL, &request, path,
                   UV_FS_O_CREAT | UV_FS_O_EXCL | UV_FS_O_WRONLY, mode, NULL);
    int written;

    uv_fs_req_cleanup(&request);
    if (file < 0)
        return cli_fail(EXIT_FAILED, "%s: %s", path, uv_strerror(file));
    written = uv_fs_write(NULL, &request, file, &buf, 1, 0, NULL);
    uv_fs_req_cleanup(&request);
    if (uv_fs_close(NULL, &request, file, NULL) < 0 ||
        written != (int)bytes->length) {
        uv_fs_req_cleanup(&request);
        return cli_fail(EXIT_FAILED, "%s: cannot be written", path);
    }
    uv_fs_req_cleanup(&request);
    return EXIT_DONE;
}

static bool is_there(const char *path)
{
    uv_fs_t request;
    const int result = uv_fs_stat(NULL, &request, path, NULL);

    uv_fs_req_cleanup(&request);
    return result == 0;
}

static int write_pair(const char *path, const struct buffer *private_half,
                      const struct buffer *public_half)
{
    char public_path[4096];
    int exit_code;

    if (snprintf(public_path, sizeof public_path, "%s.pub", path) >=
        (int)sizeof public_path)
        return cli_fail(EXIT_USAGE, "the name of the file is too long");
    if (public_half->length > 0 && is_there(public_path))
        return cli_fail(EXIT_FAILED, "%s: is there already", public_path);
    exit_code = write_file(path, OWNER_ONLY, private_half);
    if (exit_code == EXIT_DONE && public_half->length > 0)
        exit_code = write_file(public_path, EVERYBODY, public_half);
    if (exit_code == EXIT_DONE && public_half->length > 0)
        printf("%s signs, %s checks\n", path, public_path);
    else if (exit_code == EXIT_DONE)
        printf("%s signs and checks\n", path);
    return exit_code;
}

int cli_token_key(int argc, char **argv)
{
    const struct options options = {"tidings token key ALG FILE", about, NULL,
                                    0};
    struct buffer private_half, public_half;
    int exit_code;

    if (!options_read(&options, &argc, argv, &exit_code))
        return exit_code;
    if (argc != 2)
        return cli_fail(EXIT_USAGE, "usage: %s", options.usage);
    buffer_init(&private_half);
    buffer_init(&public_half);
    if (signing_key_new(argv[0], &private_half, &public_half) == ST_OK)
        exit_code = write_pair(argv[1], &private_half, &public_half);
    else
        exit_code = cli_fail(EXIT_USAGE,
                             "\"%.20s\" is no algorithm: there are HS256, "
                             "RS256, ES256 and EdDSA",
                             argv[0]);
    if (private_half.bytes != NULL)
        OPENSSL_cleanse(private_half.bytes, private_half.capacity);
    buffer_fini(&private_half);
    buffer_fini(&public_half);
    return exit_code;
}
