"""tokens.py -- JSON Web Tokens made by hand (RFC 7515, 7519), HS256.

A secret is bytes. token(SECRET, subscribe=["news"]) is good for an hour; any claim
can be given, and None leaves one out.
"""

import base64
import hashlib
import hmac
import json
import time

SECRET = b"a secret of thirty-two bytes, and more"
OTHER_SECRET = b"another secret, also of thirty-two bytes"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(secret=SECRET, header=None, **claims):
    head = {"alg": "HS256", "typ": "JWT", **(header or {})}
    body = {"exp": int(time.time()) + 3600, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    signed = ".".join(base64url(json.dumps(part).encode())
                      for part in (head, body))
    signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64url(signature)}"


def bearer(*arguments, **claims):
    return {"Authorization": "Bearer " + token(*arguments, **claims)}


def cookie(*arguments, **claims):
    return {"Cookie": "tidings_token=" + token(*arguments, **claims)}
