"""jose_client.py -- the npm library jose, asked line by line, and the keys that it
and Tidings share in these tests."""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess

from patience import Deadline
from token_forge import base64url, signing_input

HERE = pathlib.Path(__file__).resolve().parent

ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")


def unbase64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Jose:
    """The process of clients/jose_answers.mjs."""

    def __init__(self):
        self.process = subprocess.Popen(
            [shutil.which("node"), str(HERE / "clients/jose_answers.mjs")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b""

    def ask(self, op, **question):
        line = json.dumps({"op": op, **question}) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        deadline = Deadline()
        while b"\n" not in self.rest:
            left = deadline.left("an answer of jose")
            if select.select([self.process.stdout], [], [], left)[0]:
                data = os.read(self.process.stdout.fileno(), 1 << 20)
                assert data, "jose ended"
                self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        answer = json.loads(line)
        assert "broken" not in answer, answer["broken"]
        return answer

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Key:
    """A key of one algorithm: who signs with it has `private` (PEM, or the secret in
    base64url), who checks `public`."""

    def __init__(self, jose, alg, folder, kid):
        made = jose.ask("generate", alg=alg, kid=kid)
        self.jose = jose
        self.alg = alg
        self.kid = kid
        self.jwk = made["jwk"]
        self.private = made.get("private", made.get("key"))
        self.public = made.get("public", made.get("key"))
        self.signing_file = folder / f"{kid}.private"
        self.file = folder / f"{kid}.public"
        self.jwk_file = folder / f"{kid}.json"
        for path, text in ((self.signing_file, self.private),
                           (self.file, self.public)):
            path.write_bytes(unbase64url(text) if alg == "HS256"
                             else text.encode())
        self.jwk_file.write_text(json.dumps(self.jwk))

    def secret(self):
        """What an attacker takes for the secret of HS256: the public half."""
        return self.file.read_bytes()

    def sign(self, message, form=None):
        answer = self.jose.ask("sign", form=form or self.alg, key=self.private,
                               message=base64url(message))
        return unbase64url(answer["signature"])

    def parts(self, claims, header=None, form=None):
        """The signed text and the signature's bytes."""
        message = signing_input(header or {"alg": self.alg}, claims)
        return message, self.sign(message.encode(), form)

    def token(self, claims, header=None, form=None):
        message, signature = self.parts(claims, header, form)
        return f"{message}.{base64url(signature)}"

    def jose_takes(self, token, **settings):
        """Whether jose accepts the token, and what it says of it."""
        answer = self.jose.ask("verify", alg=self.alg, key=self.public,
                               token=token, **settings)
        return "claims" in answer, answer
