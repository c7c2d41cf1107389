"""bad_tokens.py -- tokens that must be refused.

A case is a name, the algorithm of the key that is held, and a function that makes
the token: of the key (a jose_client.Key), of another key of the same kind, and of
the present in seconds. LAX names those that jose accepts, and why it may.
"""

import json

from token_forge import base64url, claims, forge, signing_input

ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

CASES = {}  # name -> (algorithm, settings, function)
LAX = {}    # name -> why jose accepts it

LENIENT_BASE64 = "Node's base64url decoder passes over what is not base64url"
LAST_ONE_COUNTS = "JSON.parse takes the last of two members of a name"
NOT_ITS_CLAIM = "a claim that only Tidings gives a meaning"
NOT_COMPARED = "jose compares typ only when it is told to"


def bad(name, make, alg="HS256", lax=None, **settings):
    assert name not in CASES, name
    CASES[name] = (alg, settings, make)
    if lax:
        LAX[name] = lax


# ---- what is done to a good token, for each algorithm ------------------------------

def other_alphabet(signature):
    """The same bytes in the alphabet of plain base64; signed until it differs."""
    return signature.replace("-", "+").replace("_", "/")


def with_letter_of_other_alphabet(key):
    for number in range(1000):
        message, signature = key.parts(claims(jti=number))
        text = base64url(signature)
        if other_alphabet(text) != text:
            return f"{message}.{other_alphabet(text)}"
    raise AssertionError("no signature with - or _")


def stray_bit(token):
    letters = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
               "0123456789-_")
    return token[:-1] + letters[letters.index(token[-1]) ^ 1]


def flipped(signature, index):
    changed = bytearray(signature)
    changed[index] ^= 1
    return bytes(changed)


def with_signature(change):
    def make(key, other, now):
        message, signature = key.parts(claims())
        return f"{message}.{base64url(change(signature))}"
    return make


def with_text(change):
    return lambda key, other, now: change(key.token(claims()))


def replaced_part(index, part):
    def change(token):
        parts = token.split(".")
        parts[index] = part
        return ".".join(parts)
    return with_text(change)


SIGNATURES = {
    "an empty signature": lambda s: b"",
    "one byte of a signature": lambda s: s[:1],
    "half a signature": lambda s: s[:len(s) // 2],
    "a signature without its last byte": lambda s: s[:-1],
    "a signature without its first byte": lambda s: s[1:],
    "a signature and a zero byte": lambda s: s + b"\0",
    "a zero byte and a signature": lambda s: b"\0" + s,
    "a signature twice": lambda s: s + s,
    "a signature with its first bit flipped": lambda s: flipped(s, 0),
    "a signature with its last bit flipped": lambda s: flipped(s, -1),
    "a signature of zeros": lambda s: bytes(len(s)),
    "a signature of ones": lambda s: b"\xff" * len(s),
    "a signature backwards": lambda s: s[::-1],
}

TEXTS = {
    "four parts": lambda t: t + ".e30",
    "four parts, one empty": lambda t: t + ".",
    "two parts": lambda t: t.rsplit(".", 1)[0],
    "one part": lambda t: t.split(".")[0],
    "a dot before": lambda t: "." + t,
    "five parts": lambda t: t + ".a.b",
    "commas for dots": lambda t: t.replace(".", ","),
    "a space before": lambda t: " " + t,
    "no header": lambda t: t[t.index("."):],
    "no claims": lambda t: "..".join(t.split(".")[::2]),
    "a NUL before the signature": lambda t: t[:-20] + "\0" + t[-20:],
    "the parts in another order": lambda t: ".".join(t.split(".")[::-1]),
    "quotes around": lambda t: f'"{t}"',
    "a scheme before": lambda t: f"Bearer {t}",
}

LENIENT_TEXTS = {
    "padding behind": lambda t: t + "=",
    "more padding behind": lambda t: t + "==",
    "a space behind": lambda t: t + " ",
    "a line end inside of the signature": lambda t: t[:-20] + "\n" + t[-20:],
    "a space inside of the signature": lambda t: t[:-20] + " " + t[-20:],
    "a percent sign behind": lambda t: t + "%",
}

for alg in ALGORITHMS:
    for name, change in SIGNATURES.items():
        bad(f"{alg}: {name}", with_signature(change), alg)
    for name, change in TEXTS.items():
        lax = LENIENT_BASE64 if "NUL" in name else None
        bad(f"{alg}: {name}", with_text(change), alg, lax)
    for name, change in LENIENT_TEXTS.items():
        bad(f"{alg}: {name}", with_text(change), alg, LENIENT_BASE64)
    bad(f"{alg}: plus and slash", lambda key, other, now:
           with_letter_of_other_alphabet(key), alg, LENIENT_BASE64)
    if alg != "RS256":  # whose length is a multiple of three
        bad(f"{alg}: a stray bit", with_text(stray_bit), alg,
               LENIENT_BASE64)
    bad(f"{alg}: of another key", lambda key, other, now:
           other.token(claims()), alg)
    bad(f"{alg}: other claims under the signature",
           replaced_part(1, base64url(json.dumps(claims(admin=True)).encode())),
           alg)
    bad(f"{alg}: another header under the signature",
           replaced_part(0, base64url(json.dumps(
               {"alg": alg, "kid": "x"}).encode())), alg)
    bad(f"{alg}: expired a second beyond the leeway", lambda key, other, now:
           key.token(claims(exp=now - 61)), alg)
    bad(f"{alg}: without exp", lambda key, other, now:
           key.token(claims(exp=None)), alg)
    bad(f"{alg}: the key's own JWK in the header, of another key",
           lambda key, other, now: other.token(
               claims(), {"alg": other.alg, "jwk": other.jwk}), alg)
    for foreign in (*ALGORITHMS, "RS512", "PS256", "ES384", "HS512", "RSA-OAEP",
                    "dir", "A128KW", "ES256K", "Ed25519", "none", "None",
                    "NONE", "nOnE", "none ", "", alg.lower(), alg + " ",
                    alg + "\0"):
        if foreign != alg:
            bad(f"{alg}: as {foreign!r}",
                   lambda key, other, now, foreign=foreign:
                   key.token(claims(), {"alg": foreign}), alg)
    bad(f"{alg}: none, without a signature", lambda key, other, now:
           signing_input({"alg": "none"}, claims()) + ".", alg)
    for value in (None, 17, True, ["HS256"], {"alg": "HS256"}):
        bad(f"{alg}: alg is {value!r}",
               lambda key, other, now, value=value:
               key.token(claims(), {"alg": value}), alg)


# ---- what only one of them has -----------------------------------------------------

for alg in ("RS256", "ES256", "EdDSA"):
    bad(f"{alg}: HS256 by its public half, as PEM", lambda key, other, now:
           forge(key.secret(), claims()), alg)
    bad(f"{alg}: HS256 by its public half, as PEM without the line end",
           lambda key, other, now: forge(key.secret().strip(), claims()), alg)
    bad(f"{alg}: HS256 by its public half, as JWK", lambda key, other, now:
           forge(json.dumps(key.jwk).encode(), claims()), alg)
    bad(f"{alg}: HS256 by nothing", lambda key, other, now:
           forge(b"", claims()), alg)

bad("RS256: another hash, SHA-512", lambda key, other, now:
       key.token(claims(), form="RS512"), "RS256")
bad("RS256: another hash, SHA-1", lambda key, other, now:
       key.token(claims(), form="RS1"), "RS256")
bad("RS256: PSS", lambda key, other, now:
       key.token(claims(), form="PS256"), "RS256")
bad("RS256: the number one", with_signature(
    lambda s: (1).to_bytes(len(s), "big")), "RS256")

bad("ES256: in DER", lambda key, other, now:
       key.token(claims(), form="ES256 in DER"), "ES256")
bad("ES256: another hash", lambda key, other, now:
       key.token(claims(), form="ES512"), "ES256")


def numbers(change):
    def changed(signature):
        r, s = (int.from_bytes(part, "big")
                for part in (signature[:32], signature[32:]))
        return b"".join(number.to_bytes(32, "big") for number in change(r, s))
    return with_signature(changed)


P256_NUMBERS = {
    "r is zero": lambda r, s: (0, s),
    "s is zero": lambda r, s: (r, 0),
    "both are zero": lambda r, s: (0, 0),
    "both are one": lambda r, s: (1, 1),
    "r is the order": lambda r, s: (P256_ORDER, s),
    "s is the order": lambda r, s: (r, P256_ORDER),
    "r and s are the order": lambda r, s: (P256_ORDER, P256_ORDER),
    "r is above the order": lambda r, s: (P256_ORDER + 1, s),
    "r and s change places": lambda r, s: (s, r),
    "r is negative": lambda r, s: (P256_ORDER - r, s),
    "r is as high as it goes": lambda r, s: (2**256 - 1, s),
    "s is as high as it goes": lambda r, s: (r, 2**256 - 1),
}
for name, change in P256_NUMBERS.items():
    bad(f"ES256: {name}", numbers(change), "ES256")


def scalar(change):
    def changed(signature):
        value = int.from_bytes(signature[32:], "little")
        return signature[:32] + change(value).to_bytes(32, "little")
    return with_signature(changed)


bad("EdDSA: S and the order", scalar(lambda s: s + ED25519_ORDER), "EdDSA")
bad("EdDSA: S is zero", scalar(lambda s: 0), "EdDSA")
for name, point in {
        "the neutral point": b"\1" + bytes(31),
        "the neutral point, not reduced": b"\xee" + b"\xff" * 30 + b"\x7f",
        "a point of order two": b"\xec" + b"\xff" * 30 + b"\x7f",
        "a point of order four": bytes(32),
        "no point": b"\2" + bytes(31)}.items():
    bad(f"EdDSA: R is {name} and S zero", with_signature(
        lambda s, point=point: point + bytes(32)), "EdDSA")


# ---- headers -----------------------------------------------------------------------

def header(name, more, lax=None):
    """`more` is put behind the members that are right; or all of it, as text."""
    def make(key, other, now):
        whole = more if isinstance(more, str) else {"alg": "HS256", **more}
        return key.token(claims(), whole)
    bad(f"header: {name}", make, lax=lax)


header("crit names exp", {"crit": ["exp"], "exp": 1})
header("crit names b64", {"crit": ["b64"], "b64": True},
       lax="jose knows b64, and true changes nothing")
header("crit names b64, which is off", {"crit": ["b64"], "b64": False})
header("crit is empty", {"crit": []})
header("crit is a text", {"crit": "exp"})
header("crit is nothing", {"crit": None})
header("b64 is off and nothing wants it", {"b64": False},
       lax="jose passes over b64 when crit does not name it")
header("typ is that of a DPoP proof", {"typ": "dpop+jwt"}, lax=NOT_COMPARED)
header("typ is that of a logout token", {"typ": "application/logout+jwt"},
       lax=NOT_COMPARED)
header("typ is JOSE", {"typ": "JOSE"}, lax=NOT_COMPARED)
header("typ is a number", {"typ": 1}, lax=NOT_COMPARED)
header("cty is JWT", {"cty": "JWT"}, lax="jose does not read cty")
header("kid is a number", {"kid": 7}, lax="jose reads kid only to find a key")
header("kid is an array", {"kid": ["a"]},
       lax="jose reads kid only to find a key")
header("kid is longer than any", {"kid": "k" * 201},
       lax="jose reads kid only to find a key")
header("alg stands twice", '{"alg":"HS256","alg":"HS256"}',
       lax=LAST_ONE_COUNTS)
header("alg stands twice, first none", '{"alg":"none","alg":"HS256"}',
       lax=LAST_ONE_COUNTS)
header("alg stands twice, then none", '{"alg":"HS256","alg":"none"}')
header("alg stands twice, once escaped",
       '{"alg":"HS256","\\u0061lg":"HS256"}', lax=LAST_ONE_COUNTS)
header("a byte order mark", '\ufeff{"alg":"HS256"}',
       lax="TextDecoder takes a byte order mark off")
header("a comma too many", '{"alg":"HS256",}')
header("another object behind", '{"alg":"HS256"}{}')
header("an array", '["HS256"]')
header("a text", '"HS256"')
header("empty", '{}')
header("a comment", '{"alg":"HS256"/**/}')
header("single quotes", "{'alg':'HS256'}")
header("Alg with a capital", '{"Alg":"HS256"}')
header("more than 64 members",
       {f"m{number}": number for number in range(64)},
       lax="jose does not count members")
header("too deep", '{"alg":"HS256","x":' + "[" * 64 + "]" * 64 + "}",
       lax="JSON.parse has no limit of depth that is near")


# ---- claims ------------------------------------------------------------------------

def claim(name, more=None, lax=None, text=None, **settings):
    """`more` is a function of the present; None takes a claim out. Or the whole
    text, in which FAR is a time to come."""
    def make(key, other, now):
        if text is not None:
            return key.token(text.replace("FAR", str(now + 3600)))
        return key.token(claims(**more(now)))
    bad(f"claims: {name}", make, lax=lax, **settings)


claim("exp is now less the leeway", lambda now: {"exp": now - 60})
claim("exp is long ago", lambda now: {"exp": 1})
claim("exp is zero", lambda now: {"exp": 0})
claim("exp is negative", lambda now: {"exp": -now})
claim("exp is a text", lambda now: {"exp": str(now + 3600)})
claim("exp is a date", lambda now: {"exp": "2099-01-01T00:00:00Z"})
claim("exp is true", lambda now: {"exp": True})
claim("exp is an array", lambda now: {"exp": [now + 3600]})
claim("exp is an object", lambda now: {"exp": {}})
claim("exp is null", text='{"exp":null}')
claim("exp is 1e400", text='{"exp":1e400}',
      lax="JSON.parse makes infinity of it, which never comes")
claim("exp is -1e400", text='{"exp":-1e400}')
claim("exp is in milliseconds", lambda now: {"exp": (now + 3600) * 1000},
      lax="jose takes it for a second of the year 58,000")
claim("exp has a plus", text='{"exp":+FAR}')
claim("exp has a zero before", text='{"exp":0FAR}')
claim("exp is hexadecimal", text='{"exp":0x7fffffff}')
claim("exp is Infinity", text='{"exp":Infinity}')
claim("exp is NaN", text='{"exp":NaN}')
claim("exp has a point and nothing behind", text='{"exp":FAR.}')
claim("Exp with a capital", text='{"Exp":FAR}')
claim("exp stands twice", text='{"exp":FAR,"exp":FAR}', lax=LAST_ONE_COUNTS)
claim("exp stands twice, the first is over", text='{"exp":1,"exp":FAR}',
      lax=LAST_ONE_COUNTS)
claim("exp stands twice, the last is over", text='{"exp":FAR,"exp":1}')
claim("exp stands twice, once escaped", text='{"exp":FAR,"\\u0065xp":FAR}',
      lax=LAST_ONE_COUNTS)
claim("any name stands twice", text='{"exp":FAR,"x":1,"x":1}',
      lax=LAST_ONE_COUNTS)
claim("nbf is a second beyond the leeway", lambda now: {"nbf": now + 120})
claim("nbf is a text", lambda now: {"nbf": str(now)})
claim("nbf is null", text='{"exp":FAR,"nbf":null}')
claim("nbf is negative", lambda now: {"nbf": -1},
      lax="jose compares any number")
claim("nbf is 1e400", text='{"exp":FAR,"nbf":1e400}')
claim("iat is a text", lambda now: {"iat": str(now)})
claim("iat is true", lambda now: {"iat": True})
claim("sub is a number", lambda now: {"sub": 17},
      lax="jose does not look at sub unless it is told what it must be")
claim("sub has a line end", lambda now: {"sub": "a\nadmin: yes"},
      lax="jose does not look at sub unless it is told what it must be")
claim("sub is longer than 255 bytes", lambda now: {"sub": "s" * 256},
      lax="jose does not look at sub unless it is told what it must be")
claim("sub is half a character", text='{"exp":FAR,"sub":"\\ud800"}',
      lax="JavaScript has such texts")
claim("iss is missing", lambda now: {}, issuer="the shop")
claim("iss is another", lambda now: {"iss": "the shop "}, issuer="the shop")
claim("iss in other letters", lambda now: {"iss": "The shop"},
      issuer="the shop")
claim("iss is an array", lambda now: {"iss": ["the shop"]}, issuer="the shop")
claim("iss is a number and not compared", lambda now: {"iss": 1},
      lax="jose does not look at iss unless it is told what it must be")
claim("aud is missing", lambda now: {}, audience="tidings")
claim("aud is another", lambda now: {"aud": "them"}, audience="tidings")
claim("aud are others", lambda now: {"aud": ["them", "tiding"]},
      audience="tidings")
claim("aud is empty", lambda now: {"aud": []}, audience="tidings")
claim("aud has it inside", lambda now: {"aud": "tidings them"},
      audience="tidings")
claim("aud is an object", lambda now: {"aud": {"tidings": True}},
      audience="tidings")
claim("aud is an array in an array", lambda now: {"aud": [["tidings"]]},
      audience="tidings")
claim("aud is true and not compared", lambda now: {"aud": True},
      lax="jose does not look at aud unless it is told what it must be")
claim("not JSON", text="exp=FAR")
claim("an array", text="[FAR]")
claim("a number", text="FAR")
claim("null", text="null")
claim("a comma too many", text='{"exp":FAR,}')
claim("another object behind", text='{"exp":FAR}{}')
claim("a control character in a text", text='{"exp":FAR,"x":"\n"}')
claim("a byte order mark", text='\ufeff{"exp":FAR}',
      lax="TextDecoder takes a byte order mark off")
claim("nothing", text="")
claim("too deep", text='{"exp":FAR,"x":' + "[" * 64 + "]" * 64 + "}",
      lax="JSON.parse has no limit of depth that is near")
claim("more than 64 members",
      lambda now: {f"m{number}": 1 for number in range(64)},
      lax="jose does not count members")
claim("longer than 8192 bytes", lambda now: {"x": "x" * 8192},
      lax="jose takes tokens of any size")
claim("a token inside", text='eyJhbGciOiJub25lIn0.e30.')
for right in ("subscribe", "publish"):
    for wrong in ("", "a b", "a..b", "a.>.b", "a,b", 7, True, None, {"a": 1},
                [["a"]], ["a", 7], ["a", ""], ["a", "b c"], ["a"] * 257):
        shown = json.dumps(wrong)
        claim(f"{right} is {shown[:20]}",
              text=f'{{"exp":FAR,"{right}":{shown}}}', lax=NOT_ITS_CLAIM)
for wrong in ("true", 1, None, []):
    shown = json.dumps(wrong)
    claim(f"admin is {shown}", text=f'{{"exp":FAR,"admin":{shown}}}',
          lax=NOT_ITS_CLAIM)
