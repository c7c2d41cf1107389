"""Tokens and keys on the command line (protocol.md 8, operations.md): `tidings
token check` gives the server's answer, since it asks the same code."""

import json
import stat
import time

import pytest

from token_forge import base64url, claims, der_of_pem, forge, signing_input

SECRET = b"an example of thirty-three bytes."
ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")


def make_key(world, algorithm, name="key"):
    """The file that signs, and the one that checks."""
    done = world.tidings("token", "key", algorithm, name)
    assert done.returncode == 0, done.stderr
    return name, name if algorithm == "HS256" else f"{name}.pub"


def make_token(world, key, *words):
    done = world.tidings("token", "new", "--key", key, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().rstrip("\n")


def check(world, token, *words):
    return world.tidings("token", "check", *words, stdin=token.encode())


def check_secret(world, token, *words):
    return world.tidings("token", "check", *words, stdin=token.encode(),
                         environment={"TIDINGS_TOKEN_SECRET": SECRET.decode()})


def is_refused(done, why):
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.decode() == f"tidings: the token is refused: {why}\n"
    return True


def is_good(done):
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().endswith("the token is good\n")
    return True


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_8_a_key_makes_a_token_that_its_other_half_checks(idle_world,
                                                          algorithm):
    signs, checks = make_key(idle_world, algorithm)
    token = make_token(idle_world, signs, "--subscribe", "news,user.17.>",
                       "--publish", "orders.*", "--subject", "visitor 17",
                       "--ttl", "15m", "--kid", "main", "--issuer", "the shop",
                       "--audience", "tidings")
    done = check(idle_world, token, "--token_keys", checks)
    assert is_good(done)
    lines = [line.split(maxsplit=1) for line in
             done.stdout.decode().splitlines()]
    told = {words[0]: words[1] for words in lines}
    assert told["algorithm"] == algorithm and told["kid"] == "main"
    assert told["signed"] == f"by  {checks}"
    assert told["issuer"] == "the shop" and told["audience"] == "tidings"
    assert told["subject"] == "visitor 17"
    assert told["subscribe"] == "news,user.17.>"
    assert told["publish"] == "orders.*" and told["admin"] == "no"
    assert " s" in told["expires"]
    for part in token.split("."):
        assert part not in done.stdout.decode(), "the token is not repeated"


def test_a_key_is_private_and_never_overwritten(idle_world):
    make_key(idle_world, "ES256")
    path = idle_world.directory / "key"
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"PRIVATE" not in (idle_world.directory / "key.pub").read_bytes()
    done = idle_world.tidings("token", "key", "EdDSA", "key")
    assert done.returncode == 1 and b"already" in done.stderr
    assert path.read_bytes() == before


def test_8_several_keys_count_at_a_time(idle_world):
    old, old_half = make_key(idle_world, "ES256", "old")
    new, new_half = make_key(idle_world, "EdDSA", "new")
    both = f"{old_half}, {new_half}"
    for key in (old, new):
        token = make_token(idle_world, key, "--admin")
        assert is_good(check(idle_world, token, "--token_keys", both))
    assert is_refused(check(idle_world, token, "--token_keys", old_half),
                      "no key is of its alg")


def test_8_the_key_decides_the_algorithm(idle_world):
    """The oldest attack: what everybody knows, as a secret."""
    for algorithm in ("RS256", "ES256", "EdDSA"):
        _, half = make_key(idle_world, algorithm, algorithm)
        pem = (idle_world.directory / half).read_text()
        for secret in (pem.encode(), pem.rstrip().encode(), der_of_pem(pem)):
            assert is_refused(check(idle_world, forge(secret, claims()),
                                    "--token_keys", half),
                              "no key is of its alg")


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None,
                                 "HS384", "hs256", "HS256 "])
def test_8_an_unsigned_token_is_none(idle_world, alg):
    header = {"typ": "JWT", "alg": alg}
    why = ("its header has no alg" if alg is None else
           "its alg is none of HS256, RS256, ES256 and EdDSA")
    for token in (signing_input(header, claims()) + ".",
                  forge(SECRET, claims(), header)):
        assert is_refused(check_secret(idle_world, token), why)


def test_8_a_signature_counts_as_a_whole(idle_world):
    token = forge(SECRET, claims())
    message, _, signature = token.rpartition(".")
    assert is_good(check_secret(idle_world, token))
    for length, why in ((0, "it has no signature"),
                        (4, "its signature is not of a key that is held here"),
                        (40, "its signature is not of a key that is held here"),
                        (41, "its signature is not base64url")):
        assert is_refused(
            check_secret(idle_world, f"{message}.{signature[:length]}"), why)
    assert is_refused(check_secret(idle_world, token + "AA"),
                      "its signature is not base64url")
    assert is_refused(check_secret(idle_world, token + "AAA"),
                      "its signature is not of a key that is held here")


def test_8_a_token_ends(idle_world):
    now = int(time.time())
    assert is_good(check_secret(idle_world, forge(SECRET, claims(exp=now))))
    late = check_secret(idle_world, forge(SECRET, claims(exp=now - 61)))
    assert is_refused(late, "it has expired")
    assert "s ago" in late.stdout.decode(), "what it allowed is told"
    assert is_refused(check_secret(idle_world, forge(SECRET, claims(exp=None))),
                      "it has no exp: a token must end")


def test_8_a_token_begins(idle_world):
    soon = int(time.time()) + 600
    assert is_refused(check_secret(idle_world,
                                   forge(SECRET, claims(nbf=soon))),
                      "it is not valid yet")


def test_8_audience_and_issuer_count_when_they_are_set(idle_world):
    mine = forge(SECRET, claims(aud=["them", "me"], iss="shop"))
    other = forge(SECRET, claims(aud="them", iss="elsewhere"))
    assert is_good(check_secret(idle_world, other))
    for words, why in ((("--token_audience", "me"),
                        "its aud is not the one of token_audience"),
                       (("--token_issuer", "shop"),
                        "its iss is not the one of token_issuer")):
        assert is_good(check_secret(idle_world, mine, *words))
        assert is_refused(check_secret(idle_world, other, *words), why)
        assert is_refused(check_secret(idle_world, forge(SECRET, claims()),
                                       *words), why)


def test_8_what_must_be_understood_is_refused(idle_world):
    header = {"alg": "HS256", "crit": ["exp"], "exp": 1}
    assert is_refused(
        check_secret(idle_world, forge(SECRET, claims(), header)),
        "its header has crit: it wants something that is not done here")


def test_8_a_name_stands_once(idle_world):
    far = int(time.time()) + 3600
    for text in (f'{{"exp":{far},"exp":{far}}}',
                 f'{{"exp":{far},"\\u0065xp":{far}}}'):
        assert is_refused(check_secret(idle_world, forge(SECRET, text)),
                          "its claims are no JSON object with each name once")


def test_8_kid_names_no_file(idle_world):
    """It is compared with the kids of keys, and these keys have none."""
    for kid in ("../../../../dev/null", "key", "' OR 1=1 --", "/dev/stdin"):
        header = {"alg": "HS256", "kid": kid}
        assert is_good(check_secret(idle_world,
                                    forge(SECRET, claims(), header)))
        assert is_refused(check_secret(idle_world,
                                       forge(b"", claims(), header)),
                          "its signature is not of a key that is held here")


def key_set(world, name, *keys):
    path = world.directory / name
    path.write_text(json.dumps({"keys": keys}))
    return path


def test_8_kid_rules_keys_out(idle_world):
    """With two keys of one kind; a key without kid is tried for any."""
    secret = {"kty": "oct", "k": base64url(SECRET)}
    named = key_set(idle_world, "named.json", {**secret, "kid": "new"})
    nameless = key_set(idle_world, "nameless.json", secret)
    for kid, files, why in (
            ("new", named, None), (None, named, None), ("", named, None),
            ("old", named, "no key of its alg has its kid"),
            ("NEW", named, "no key of its alg has its kid"),
            ("old", nameless, None), ("old", f"{named},{nameless}", None)):
        header = {"alg": "HS256", **({} if kid is None else {"kid": kid})}
        done = check(idle_world, forge(SECRET, claims(), header),
                     "--token_keys", files)
        assert is_refused(done, why) if why else is_good(done)


def test_a_key_of_small_order_stops_the_start(idle_world):
    """With it the same signature is right for every token."""
    for point in (bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f",
                  b"\1" + bytes(30) + b"\x80"):
        keys = key_set(idle_world, "weak.json",
                       {"kty": "OKP", "crv": "Ed25519", "x": base64url(point)})
        done = check(idle_world, "x", "--token_keys", keys)
        assert done.returncode == 1
        assert done.stderr.decode() == (
            f"tidings: {keys}, key 1: the Ed25519 key is a point of small "
            "order: with it every signature is right\n")


def test_8_a_right_covers_all_that_is_asked(idle_world):
    """One that matches some of it is none."""
    (idle_world.directory / "secret").write_bytes(SECRET)
    world = idle_world.start(token_keys=idle_world.directory / "secret")
    token = forge(SECRET, claims(subscribe=["orders.*", "a.*.c"]))
    for selector, status in (
            ("orders.*", 200), ("orders.17", 200), ("a.b.c", 200),
            ("a.*.c", 200), ("orders.%3E", 404), ("a.%3E", 404),
            ("a.*.*", 404), ("orders", 404), ("%3E", 404), ("*", 404),
            ("orders.17,orders.%3E", 404)):
        answer = world.get(f"/events/{selector}?flavor=short-poll",
                           {"Authorization": f"Bearer {token}"})
        assert answer.status == status, (selector, answer)


def test_the_other_commands_take_a_token_from_the_environment(idle_world):
    """And never from their words, which everybody can read."""
    (idle_world.directory / "secret").write_bytes(SECRET)
    world = idle_world.start(token_keys=idle_world.directory / "secret")
    url = ("--url", f"http://127.0.0.1:{world.port}")
    commands = (("publish", "news", "hello"),
                ("channels",),
                ("tail", "news", "--after", "earliest", "--count", "1"),
                ("shutdown", "--status"))
    good = forge(SECRET, claims(publish="news", subscribe="news", admin=True))
    for words in commands:
        done = world.tidings(*words, *url,
                             environment={"TIDINGS_TOKEN": good})
        assert done.returncode == 0, (words, done.stderr)
    assert b"hello" in world.tidings(
        *commands[2], *url, environment={"TIDINGS_TOKEN": good}).stdout
    for token in ("", forge(b"another", claims())):
        for words in commands:
            done = world.tidings(*words, *url,
                                 environment={"TIDINGS_TOKEN": token})
            assert done.returncode == 1, (words, done.stdout)
            assert b"the server refuses (401)" in done.stderr, done.stderr
    done = world.tidings(*commands[0], *url, environment={
        "TIDINGS_TOKEN": "a\r\nX-Other: header"})
    assert done.returncode == 1
    assert b"what is in TIDINGS_TOKEN is no token" in done.stderr


def test_8_claims_are_told_only_of_signed_tokens(idle_world):
    done = check_secret(idle_world, forge(b"another", claims(sub="mallory")))
    assert is_refused(done, "its signature is not of a key that is held here")
    assert done.stdout.decode() == "algorithm  HS256\n"


def test_a_word_is_a_token_too_and_controls_are_escaped(idle_world):
    token = forge(SECRET, claims(),
                  {"alg": "HS256", "kid": "\x1b[31m\nsigned by"})
    done = idle_world.tidings(
        "token", "check", token,
        environment={"TIDINGS_TOKEN_SECRET": SECRET.decode()})
    assert is_good(done)
    assert "kid        \\x1b[31m\\x0asigned by\n" in done.stdout.decode()


def test_a_weak_or_mistaken_secret_stops_the_start(idle_world):
    make_key(idle_world, "RS256")
    pem = (idle_world.directory / "key.pub").read_text()
    for secret, why in (
            ("x" * 31, "token_secret: a secret needs 32 bytes or more"),
            (base64url(der_of_pem(pem)),
             "token_secret: this is a key of another kind and no secret: "
             "whoever knows its public half could sign"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI and so on",
             "token_secret: this is a key of another kind and no secret: "
             "whoever knows its public half could sign")):
        done = idle_world.tidings("token", "check", "x",
                                  environment={"TIDINGS_TOKEN_SECRET": secret})
        assert done.returncode == 1
        assert done.stderr.decode() == f"tidings: {why}\n"


def test_misuse_is_told(idle_world):
    make_key(idle_world, "ES256")
    for words, code, said in (
            ((), 2, "usage: tidings token key|new|check"),
            (("make",), 2, "usage: tidings token key|new|check"),
            (("key", "none", "x"), 2, '"none" is no algorithm'),
            (("key", "ES256"), 2, "usage: tidings token key ALG FILE"),
            (("new", "--admin"), 2, "which key?"),
            (("new", "--key", "key"), 2, "allows nothing"),
            (("new", "--key", "key", "--publish", "a b"), 2, "channels and"),
            (("new", "--key", "key", "--admin", "--ttl", "soon"), 2, "--ttl"),
            (("new", "--key", "key", "--admin", "--ttl", "9999d"), 2, "--ttl"),
            (("new", "--key", "key.pub", "--admin"), 1, "public key"),
            (("new", "--key", "no", "--admin"), 1, "no: cannot be opened"),
            (("new", "--key", "key", "--admin", "--subject", "a\nb"), 2,
             "it would be refused: its sub"),
            (("check", "x"), 2, "there are no keys"),
            (("check", "x", "--token_keys", "no"), 1, "no: cannot be opened"),
            (("check", "x", "y"), 2, '"y" is no flag')):
        done = idle_world.tidings("token", *words)
        assert done.returncode == code, (words, done.stderr)
        assert said in done.stderr.decode(), (words, done.stderr)
