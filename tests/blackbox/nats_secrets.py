"""nats_secrets.py -- NATS servers that want to know who comes, and what one
needs to be let in: certificates, nkeys, operator and account, made anew for each
run by openssl.

An nkey is an Ed25519 key in base32 with a letter for its kind in front and a
checksum behind; a JWT of NATS is one that such a key signed. Neither needs NATS'
own tools.
"""

import base64
import json
import socket
import struct
import subprocess
import time

from nats_raw import NatsServer
from patience import eventually


class GuardedServer(NatsServer):
    """A nats-server that does not let just anybody in."""

    def wait_until_ready(self):
        eventually(self.listens, "nats-server to listen")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except ConnectionRefusedError:
            return False

    @property
    def at_localhost(self):
        return f"nats://localhost:{self.port}"


# ---- certificates ------------------------------------------------------------

def openssl(*words, stdin=b""):
    return subprocess.run(["openssl", *map(str, words)], input=stdin, check=True,
                          capture_output=True).stdout


class Authority:
    """Signs certificates; its own is in `certificate`."""

    def __init__(self, directory, name="authority"):
        self.directory = directory
        self.key = directory / f"{name}.key"
        self.certificate = directory / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-days", "2", "-keyout", self.key, "-out", self.certificate,
                "-addext", "keyUsage=critical,keyCertSign")

    def sign(self, name):
        """A key and a certificate for a host or a client of this name."""
        key = self.directory / f"{name}.key"
        request = self.directory / f"{name}.csr"
        extensions = self.directory / f"{name}.ext"
        certificate = self.directory / f"{name}.pem"
        extensions.write_text(f"subjectAltName=DNS:{name}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certificate,
                "-CAkey", self.key, "-CAcreateserial", "-days", "2",
                "-extfile", extensions, "-out", certificate)
        return certificate, key


# ---- nkeys and JWTs ----------------------------------------------------------

KINDS = {"O": 14 << 3, "A": 0, "U": 20 << 3}
SEED = 18 << 3


def crc16(data):
    """The checksum of XMODEM."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x1021 if crc & 0x8000 else 0)
    return crc & 0xffff


def base32(data):
    whole = data + struct.pack("<H", crc16(data))
    return base64.b32encode(whole).decode().rstrip("=")


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Nkey:
    """A key pair of kind O, A or U: operator, account, user."""

    def __init__(self, directory, kind):
        self.file = directory / f"nkey-{kind}.pem"
        self.prefix = KINDS[kind]
        openssl("genpkey", "-algorithm", "ed25519", "-out", self.file)
        self.secret = openssl("pkey", "-in", self.file, "-outform",
                              "DER")[-32:]
        self.public_raw = openssl("pkey", "-in", self.file, "-pubout",
                                  "-outform", "DER")[-32:]

    @property
    def public(self):
        return base32(bytes([self.prefix]) + self.public_raw)

    @property
    def seed(self):
        first = SEED | self.prefix >> 5
        second = (self.prefix & 31) << 3
        return base32(bytes([first, second]) + self.secret)

    def jwt(self, subject, name, claims):
        """A token about the key `subject`, signed by this one."""
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = {"jti": f"{time.time_ns()}", "iat": int(time.time()),
                "iss": self.public, "name": name, "sub": subject.public,
                "nats": claims}
        signed = ".".join(base64url(json.dumps(part).encode())
                          for part in (head, body))
        words = self.file.with_suffix(".txt")
        words.write_text(signed)
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.file,
                            "-in", words)
        return f"{signed}.{base64url(signature)}"


class Operator:
    """An operator with one account: the server's configuration, and users."""

    def __init__(self, directory):
        self.directory = directory
        self.key = Nkey(directory, "O")
        self.account = Nkey(directory, "A")
        self.token = self.key.jwt(self.key, "operator",
                                  {"type": "operator", "version": 2})
        unlimited = {name: -1 for name in
                     ("subs", "data", "payload", "imports", "exports", "conn",
                      "leaf")}
        self.account_token = self.key.jwt(
            self.account, "account",
            {"type": "account", "version": 2,
             "limits": {**unlimited, "wildcards": True}})

    @property
    def config(self):
        return (f"operator: {self.token}\nresolver: MEMORY\n"
                f"resolver_preload: {{ {self.account.public}: "
                f"{self.account_token} }}\n")

    def credentials(self):
        """A .creds file of a new user."""
        user = Nkey(self.directory, "U")
        token = self.account.jwt(user, "tidings",
                                 {"type": "user", "version": 2, "subs": -1,
                                  "data": -1, "payload": -1})
        path = self.directory / "user.creds"
        path.write_text(f"-----BEGIN NATS USER JWT-----\n{token}\n"
                        f"------END NATS USER JWT------\n\n"
                        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n"
                        f"------END USER NKEY SEED------\n")
        return path
