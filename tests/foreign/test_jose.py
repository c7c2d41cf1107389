"""Tokens of Tidings and of jose (npm): each takes what the other makes, and both
refuse what is bad. Where jose is laxer, bad_tokens.LAX says why; it is stricter
nowhere. Settings of jose: the algorithm of the key, exp required, 60 s of leeway,
issuer and audience as Tidings has them."""

import json
import random
import time

import pytest

from bad_tokens import CASES, LAX
from jose_client import ALGORITHMS, HERE, Jose, Key
from token_forge import base64url, claims

SELECTORS = ("news", "orders.*", "orders.>", "user.17.inbox", "*.eu", ">",
             "A-z_0-9.*.x")
SUBJECTS = ("", "visitor 17", "Gruyère", "\U0001f9c0", 'a "quoted" \\ </script>',
            "s" * 255)


@pytest.fixture(scope="module")
def jose():
    assert (HERE / "node_modules/jose").exists(), \
        "scripts/setup foreign installs it"
    library = Jose()
    yield library
    library.close()


@pytest.fixture(scope="module")
def keys(jose, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    made = {alg: Key(jose, alg, folder, alg) for alg in ALGORITHMS}
    (folder / "set.json").write_text(json.dumps(
        {"keys": [key.jwk for key in made.values()] +
         [{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}]}))
    return made


@pytest.fixture(scope="module")
def others(jose, tmp_path_factory):
    """Keys of the same kinds that nobody holds."""
    folder = tmp_path_factory.mktemp("others")
    return {alg: Key(jose, alg, folder, alg) for alg in ALGORITHMS}


def check(world, token, files, issuer="", audience=""):
    return world.tidings("token", "check", "--token_keys", files,
                         "--token_issuer", issuer, "--token_audience",
                         audience, stdin=token.encode())


def said(done):
    return done.stdout.decode() + done.stderr.decode()


# ---- bad ones ----------------------------------------------------------------------

def test_there_are_many_and_few_excuses():
    assert len(CASES) >= 100
    assert set(LAX) <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_bad_token_is_refused_by_both(idle_world, keys, others, name):
    alg, settings, make = CASES[name]
    key = keys[alg]
    token = make(key, others[alg], int(time.time()))

    done = check(idle_world, token, key.file, **settings)
    assert done.returncode == 1, said(done)
    assert done.stderr.startswith(b"tidings: the token is refused: "), \
        said(done)

    accepted, answer = key.jose_takes(token, **settings)
    assert accepted == (name in LAX), (answer, LAX.get(name))


# ---- good ones ---------------------------------------------------------------------

def good_claims(now):
    """What jose may be told to sign, in every form that is allowed."""
    far = now + 3600
    return [
        {"exp": far},
        {"exp": far + 0.5},
        {"exp": now - 58},
        {"exp": 253402300799},
        {"exp": far, "nbf": now, "iat": now},
        {"exp": far, "nbf": now + 58},
        {"exp": far, "nbf": 0, "iat": now + 10**6},
        {"exp": far, "sub": "visitor"},
        *({"exp": far, "sub": subject} for subject in SUBJECTS),
        {"exp": far, "iss": "the shop", "aud": "tidings"},
        {"exp": far, "iss": "the shop", "aud": ["them", "tidings"]},
        {"exp": far, "aud": [], "jti": "7", "scope": "read write"},
        {"exp": far, "subscribe": "news", "publish": "orders.*"},
        {"exp": far, "subscribe": list(SELECTORS), "publish": []},
        {"exp": far, "subscribe": ["a"] * 256},
        {"exp": far, "admin": True},
        {"exp": far, "admin": False, "realm_access": {"roles": ["a", {"b": 1}]}},
        {"exp": far, "": 1, "\u2028": None, "__proto__": 2, "x": [[[[[]]]]]},
        {"exp": far, "x": "x" * 4000},
    ]


GOOD_HEADERS = (
    {}, {"typ": "JWT"}, {"typ": "jwt"}, {"typ": "at+jwt"},
    {"typ": "application/at+jwt"}, {"kid": "nobody's"}, {"kid": ""},
    {"kid": "../../etc/passwd"}, {"jku": "https://example.org/keys"},
    {"x5t": "AAAA", "cty": "json"})


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_jose_makes_is_taken(idle_world, jose, keys, alg):
    key = keys[alg]
    for number, wanted in enumerate(good_claims(int(time.time()))):
        header = GOOD_HEADERS[number % len(GOOD_HEADERS)]
        token = jose.ask("make", alg=alg, key=key.private, header=header,
                         claims=wanted)["token"]
        assert key.jose_takes(token)[0], (header, wanted)
        done = check(idle_world, token, key.file)
        assert done.returncode == 0, (header, wanted, said(done))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_good_header_is_taken(idle_world, jose, keys, alg):
    key = keys[alg]
    for header in GOOD_HEADERS:
        token = jose.ask("make", alg=alg, key=key.private, header=header,
                         claims=claims())["token"]
        done = check(idle_world, token, key.file)
        assert done.returncode == 0, (header, said(done))


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_keys_that_jose_exports_are_read(idle_world, keys, others, alg):
    """As PEM, as a JWK, in a set with a key of a kind that is not known; and kid
    rules keys out."""
    key = keys[alg]
    key_set = key.file.parent / "set.json"
    for files in (key.file, key.signing_file, key.jwk_file, key_set,
                  f"{others[alg].file},{key_set}"):
        done = check(idle_world, key.token(claims()), files)
        assert done.returncode == 0, (files, said(done))
    named = key.token(claims(), {"alg": alg, "kid": alg})
    misnamed = key.token(claims(), {"alg": alg, "kid": "another"})
    assert check(idle_world, named, key_set).returncode == 0
    assert check(idle_world, misnamed, key.file).returncode == 0
    done = check(idle_world, misnamed, key_set)
    assert b"no key of its alg has its kid" in done.stderr, said(done)


def words_of(rng):
    """Random flags of `tidings token new`, and the claims that they mean."""
    wanted, words = {}, []
    for name in ("subscribe", "publish"):
        chosen = rng.sample(SELECTORS, rng.randrange(4))
        if chosen:
            wanted[name] = chosen
            words += [f"--{name}", ",".join(chosen)]
    if not words or rng.random() < 0.3:
        wanted["admin"] = True
        words.append("--admin")
    for name, claim, value in (("subject", "sub", rng.choice(SUBJECTS)),
                               ("issuer", "iss", rng.choice(("", "the shop"))),
                               ("audience", "aud", rng.choice(("", "tidings")))):
        if value:
            wanted[claim] = value
            words += [f"--{name}", value]
    if rng.random() < 0.5:
        words += ["--kid", "main"]
    return words, wanted


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_tidings_makes_is_taken_by_jose(idle_world, jose, keys, alg):
    rng = random.Random(f"{alg} 2014")
    done = idle_world.tidings("token", "key", alg, "own")
    assert done.returncode == 0, said(done)
    own = idle_world.directory / ("own" if alg == "HS256" else "own.pub")
    own_public = own.read_text()
    if alg == "HS256":  # the text is the secret, not what it would decode to
        own_public = base64url(own_public.rstrip("\n").encode())
    for _ in range(20):
        words, wanted = words_of(rng)
        for file, public in ((keys[alg].signing_file, keys[alg].public),
                             (idle_world.directory / "own", own_public)):
            done = idle_world.tidings("token", "new", "--key", file, *words)
            assert done.returncode == 0, (words, said(done))
            token = done.stdout.decode().strip()
            answer = jose.ask("verify", alg=alg, key=public, token=token)
            assert "claims" in answer, (words, answer)
            got = {name: value for name, value in answer["claims"].items()
                   if name not in ("iat", "exp")}
            assert got == wanted, words
