"""A mail relay to test against: a real SMTP server that does as it is told, and what is sent through it."""

import asyncio
import email
import email.policy
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from outreach.providers.contract import Mail, Mailbox, Receipt, Refusal, Verdict
from outreach.providers.smtp import SmtpMail

PASSWORD = "correct horse"
ARABIC = "لديك رسالة مهمة"


def bounce_address(token: UUID) -> str:
    return f"b+{token.hex}@bounce.example.org"


def mail(to: str = "someone@example.net", **changed: Any) -> Mail:
    chosen: dict[str, Any] = {
        "token": uuid4(),
        "to": Mailbox(to),
        "subject": "An important message for you",
        "text": "Call us.\n\n.\nFrom the first line to the last.\n",
        "html": "<p>Call us.</p>",
        "language": "en",
        "reply_to": Mailbox(f"r+{'a' * 48}@reply.example.org"),
        "unsubscribe_url": f"https://notices.example.org/stop/u-{'a' * 48}",
    }
    return Mail(**(chosen | changed))


class Relay:
    """A real SMTP server within this event loop. `answers` are given in place of its own: a stage and what to say, each time."""

    def __init__(self, *, pipelining: bool = True, dsn: bool = True, password: str = PASSWORD, **options: Any) -> None:
        self.extensions = [name for name, offered in (("PIPELINING", pipelining), ("DSN", dsn)) if offered]
        self.password, self.options = password, options
        self.answers: dict[str, list[str]] = {}
        self.taken: list[Envelope] = []
        self.parameters: list[str] = []
        self.connections = self.sign_ins = self.port = 0
        self.before_answer: Callable[[SMTP], Coroutine[Any, Any, None]] | None = None
        self.servers: list[SMTP] = []

    def stage(self, name: str) -> str | None:
        waiting = self.answers.get(name, [])
        return waiting.pop(0) if waiting else None

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        self.sign_ins += 1
        return AuthResult(success=data.password == self.password.encode(), handled=False)

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], *(f"250-{name}" for name in self.extensions), responses[-1]]

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.stage("mail") or "250 2.1.0 OK"
        if answer.startswith("2") or self.options.get("careless"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.stage("rcpt") or "250 2.1.5 OK"
        if answer.startswith("2") or self.options.get("careless"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.before_answer:
            await self.before_answer(server)
        answer = self.stage("data") or "250 2.0.0 OK: queued"
        if answer.startswith("2"):
            self.taken.append(envelope)
        return answer

    def messages(self) -> list[EmailMessage]:
        return [email.message_from_bytes(bytes(one.original_content or b""), policy=email.policy.default) for one in self.taken]


class Server(SMTP):
    """aiosmtpd, which knows no DSN, with the parameters of RFC 3461."""

    relay: Relay

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        await super().smtp_MAIL(self._without_dsn(arg or ""))

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        await super().smtp_RCPT(self._without_dsn(arg or ""))

    def _without_dsn(self, arg: str) -> str:
        self.relay.parameters += re.findall(r" ((?:RET|ENVID|NOTIFY)=\S+)", arg)
        return re.sub(r" (RET|ENVID|NOTIFY)=\S+", "", arg) if "DSN" in self.relay.extensions else arg


def hang_up(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.Transport):
        server.transport.abort()


@asynccontextmanager
async def listening(relay: Relay, *, security: str = "starttls", tls: "Certificate | None" = None) -> AsyncIterator[Relay]:
    def server() -> Server:
        relay.connections += 1
        made = Server(
            relay,
            hostname="relay.example.org",
            authenticator=relay.authenticate,
            auth_required=True,
            auth_require_tls=security == "starttls",
            tls_context=tls.server if tls and security == "starttls" else None,
            require_starttls=bool(tls and security == "starttls"),
            enable_SMTPUTF8=relay.options.get("utf8", False),
        )
        made.relay = relay
        relay.servers.append(made)
        return made

    loop = asyncio.get_running_loop()
    sockets = await loop.create_server(server, "127.0.0.1", 0, ssl=tls.server if tls and security == "tls" else None)
    relay.port = sockets.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        sockets.close()
        for one in relay.servers:
            hang_up(one)
        await asyncio.sleep(0.01)


def provider(port: int, **changed: Any) -> SmtpMail:
    chosen: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "username": "outreach",
        "password": PASSWORD,
        "sender": Mailbox("letters@notices.example.org"),
        "sender_name": "Letter Line",
        "bounce_address": bounce_address,
        "in_flight": 5,
        "timeout": 5.0,
    }
    return SmtpMail(**(chosen | changed))


def sent(relay: Relay, *mails: Mail, **changed: Any) -> list[Receipt]:
    """The receipts of these mails, handed over one after the other."""

    async def story() -> list[Receipt]:
        async with listening(relay, security="none"), provider(relay.port, **changed) as smtp:
            return [await smtp.send(one) for one in mails]

    return asyncio.run(story())


def outcome(receipt: Receipt) -> tuple[Verdict, Refusal | None]:
    return receipt.verdict, receipt.refusal


class Certificate:
    """A certificate for this machine that signed itself, as a server shows it and as a client trusts it."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.example.org")])
        at = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - timedelta(days=1))
            .not_valid_after(at + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = made.public_bytes(serialization.Encoding.PEM)
        both = folder / "relay.pem"
        both.write_bytes(
            pem + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(both)
        self.client = ssl.create_default_context(cadata=pem.decode())
