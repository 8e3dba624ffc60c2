"""A certificate authority of the test's own, and a certificate for 127.0.0.1."""
import dataclasses
import pathlib
import subprocess


@dataclasses.dataclass
class Certificates:
    ca: pathlib.Path      # PEM, what clients trust
    server: pathlib.Path  # PEM, private key (PKCS #8) and certificate


def make_certificates(folder):
    def openssl(*args):
        done = subprocess.run(["openssl", *map(str, args)], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    new_key = ("-newkey", "rsa:2048", "-noenc")
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", 30, "-subj", "/CN=Millrace test authority")
    openssl("req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.crt", "-days", 30,
            "-extfile", "names")
    both = folder / "server.pem"
    both.write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
    return Certificates(folder / "ca.pem", both)
