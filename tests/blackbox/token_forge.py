"""token_forge.py -- tokens that no honest program makes: any header and claims,
signed with any secret, by the standard library alone."""

import base64
import hashlib
import hmac
import json
import time


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def as_json(value):
    """Text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def signing_input(header, claims):
    return ".".join(base64url(as_json(part).encode())
                    for part in (header, claims))


def forge(secret, claims, header=None):
    message = signing_input(header or {"alg": "HS256", "typ": "JWT"}, claims)
    signature = hmac.digest(secret, message.encode(), hashlib.sha256)
    return f"{message}.{base64url(signature)}"


def claims(**more):
    """Good ones, with some that are changed; None takes one out."""
    all_of_them = {"exp": int(time.time()) + 3600, "subscribe": ["news"],
                   "publish": ["orders.*"], **more}
    return {name: value for name, value in all_of_them.items()
            if value is not None}


def der_of_pem(pem):
    lines = [line for line in pem.splitlines() if not line.startswith("-----")]
    return base64.b64decode("".join(lines))
