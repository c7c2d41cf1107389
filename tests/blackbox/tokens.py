"""tokens.py -- the tokens and headers that tests of rights use.

token(subscribe=["news"]) is good for an hour with SECRET as the server's key; any
claim can be given, and None leaves one out.
"""

import time

from token_forge import forge

SECRET = b"a secret of thirty-two bytes, and more"
OTHER_SECRET = b"another secret, also of thirty-two bytes"


def token(secret=SECRET, **claims):
    claims = {"exp": int(time.time()) + 3600, **claims}
    return forge(secret, {name: value for name, value in claims.items()
                          if value is not None})


def bearer(*arguments, **claims):
    return {"Authorization": "Bearer " + token(*arguments, **claims)}


def cookie(*arguments, **claims):
    return {"Cookie": "tidings_token=" + token(*arguments, **claims)}
