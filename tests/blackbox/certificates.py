"""certificates.py -- keys and certificates for a test, made by openssl.

Pair    a key and the certificate that it signed for localhost and 127.0.0.1.
"""

import ssl
import subprocess


class Pair:
    def __init__(self, directory, name="server", days=30, common_name="localhost"):
        self.certificate = directory / f"{name}.pem"
        self.key = directory / f"{name}.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-keyout", self.key, "-out",
             self.certificate, "-days", str(days), "-subj",
             f"/CN={common_name}", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            check=True, capture_output=True)
        self.key.chmod(0o600)

    def settings(self):
        return {"tls_certificate": self.certificate, "tls_key": self.key}

    def client(self, **versions):
        """A context that trusts this certificate and no other."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        for name, value in versions.items():
            setattr(context, name, value)
        return context
