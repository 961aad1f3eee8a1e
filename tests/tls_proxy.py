"""A private certificate authority, and a forward proxy that counts what goes through it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HIDDEN_HOST = "orders.test"
"""A host that no resolver knows (RFC 6761): only the proxy reaches it."""


@dataclass(frozen=True)
class PrivateAuthority:
    """The file of its certificate, and what a server presents for 127.0.0.1, localhost and HIDDEN_HOST."""

    bundle: Path
    server: ssl.SSLContext


def private_authority(folder: Path) -> PrivateAuthority:
    """Make an authority and a server's certificate that it signs."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Private CA")])
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = _builder(ca_name, ca_name, ca_key).add_extension(constraints, critical=True)
    ca_certificate = ca.add_extension(usage, critical=True).sign(ca_key, hashes.SHA256())
    hosts = [x509.DNSName("localhost"), x509.DNSName(HIDDEN_HOST), x509.IPAddress(ip_address("127.0.0.1"))]
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    signed = _builder(server_name, ca_name, key).add_extension(
        x509.SubjectAlternativeName(hosts), critical=False
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both = folder / "server.pem"
    both.write_bytes(private + signed.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    bundle = folder / "ca.pem"
    bundle.write_bytes(ca_certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return PrivateAuthority(bundle, context)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


@dataclass
class ForwardProxy:
    """Tunnels every CONNECT to one port of this machine, whatever host is asked for."""

    destination: int
    listener: socket.socket
    refuses: bytes = b""
    """Answered in place of a tunnel."""
    heads: list[str] = field(default_factory=list)
    """The head of each CONNECT."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def hosts(self) -> list[str]:
        """The host of each tunnel asked for."""
        return [head.split()[1].rsplit(":", 1)[0] for head in self.heads]

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                piece = client.recv(1)
                if not piece:
                    return
                head += piece
            self.heads.append(head.decode("latin-1"))
            if self.refuses:
                client.sendall(self.refuses)
                return
            with socket.create_connection(("127.0.0.1", self.destination)) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def forward_proxy(destination: int) -> Iterator[ForwardProxy]:
    """Run a proxy in front of a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = ForwardProxy(destination, listener)
        threading.Thread(target=proxy.serve, daemon=True).start()
        yield proxy
