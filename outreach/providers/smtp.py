"""An agency's own relay, by SMTP: TLS, authentication, connections kept open, commands pipelined.

A relay has no books to look into. What becomes of a mail after it was accepted is told by a delivery status notification, which
is sent to the envelope sender (see `dsn`); what became of one whose answer was lost is told by nothing else either.
"""

import asyncio
import functools
import ipaddress
import ssl
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Never, Self
from uuid import UUID

from outreach.providers import dsn, mime
from outreach.providers.contract import Lost, Mail, Mailbox, NoBooks, Receipt, Refusal, Unreachable, Verdict
from outreach.providers.smtp_session import Door, Garbled, Refused, Session

CONNECT_SECONDS = 5.0  # for the connection, its encryption and the sign-in, each
LOCKED_OUT_SECONDS = 30.0  # after a refused sign-in: many of them lock an account

NETWORK = (OSError, EOFError, TimeoutError, Garbled)


class UnprotectedRelay(ValueError):
    """Mail would go over a network in clear. Only a relay on this machine may be spoken to without TLS."""


class UnknownSecurity(ValueError):
    """The setting names no kind of encryption that we know."""


class Security(StrEnum):
    """How a connection is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"  # from the first byte
    NONE = "none"


def security(word: str) -> Security:
    """The kind of encryption that a setting names. Raises UnknownSecurity."""
    try:
        return Security(word)
    except ValueError:
        raise UnknownSecurity("smtp_security must be “starttls”, “tls”, or “none” for a relay on this machine.") from None


class SmtpMail:
    """Mail through one relay. Use as `async with` to send."""

    name = "smtp"

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: Security,
        username: str = "",
        password: str = "",
        sender: Mailbox,
        sender_name: str,
        bounce_address: Callable[[UUID], str],
        in_flight: int,
        timeout: float,
        allowed_domains: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
        pipelining: bool = True,
    ) -> None:
        """`bounce_address` gives the envelope sender of an attempt. `timeout` is seconds. `allowed_domains`: empty means any.

        `tls` is the default context, which checks the relay's certificate, unless given. Raises UnprotectedRelay.
        """
        if security == Security.NONE and not _on_this_machine(host):
            raise UnprotectedRelay("A relay on another machine needs smtp_security = “starttls” or “tls”.")
        context = None if security == Security.NONE else tls or ssl.create_default_context()
        local_name = sender.address.rpartition("@")[2]
        self._door = Door(host, port, context, security == Security.TLS, username, password, local_name, pipelining)
        self._sender, self._sender_name, self._bounce_address = sender, sender_name, bounce_address
        self._timeout = timeout
        self._allowed = frozenset(domain.casefold() for domain in allowed_domains)
        self._in_flight = in_flight
        self._idle: list[Session] = []
        self._let_in = False
        self._turned_away: tuple[float, str] | None = None

    async def __aenter__(self) -> Self:
        # Made here because they belong to the event loop that they are first waited for in.
        self._places, self._first = asyncio.Semaphore(self._in_flight), asyncio.Lock()
        return self

    async def __aexit__(self, *exc: object) -> None:
        idle, self._idle = self._idle, []
        await asyncio.gather(*(session.leave() for session in idle))

    async def send(self, mail: Mail) -> Receipt:
        if self._allowed and mail.to.address.rpartition("@")[2].casefold() not in self._allowed:
            return Receipt(mail.token, Verdict.REFUSED, code="not_allowed_here", refusal=Refusal.REVIEW)
        bounce = self._bounce_address(mail.token)
        try:
            mail = replace(mail, to=_with_ascii_domain(mail.to))
            message = mime.compose(mail, sender=self._sender, sender_name=self._sender_name, bounce=bounce)
        except UnicodeError:
            return Receipt(mail.token, Verdict.REFUSED, code="bad_domain", refusal=Refusal.BAD_ADDRESS)
        except mime.BadHeader:
            return Receipt(mail.token, Verdict.REFUSED, code="bad_header", refusal=Refusal.REVIEW)
        async with self._places:
            while True:
                receipt = await self._try(mail, bounce, message)
                if receipt is not None:
                    return receipt

    async def _try(self, mail: Mail, bounce: str, message: bytes) -> Receipt | None:
        """One try on one connection; None where the relay had closed a kept one, which loses nothing: another is opened."""
        token = mail.token
        session, kept, keep = None, False, False
        try:
            session = self._idle.pop() if self._idle else await self._open()
            kept = session.used
            async with asyncio.timeout(self._timeout):
                await session.hand_over(*_commands(session, mail, bounce), message)
            keep = True
            return Receipt(token, Verdict.ACCEPTED, provider_id=mime.message_id(bounce))
        except Refused as refused:
            keep = not refused.goodbye
            if kept and refused.goodbye:
                return None  # Many relays end a connection with 421 after so many messages or minutes.
            return Receipt(token, Verdict.REFUSED, code=refused.code, refusal=refusal(refused.code))
        except NETWORK as error:
            code = type(error).__name__
            if session is None or not session.handing_over:
                lost_while_idle = kept and isinstance(error, ConnectionError | EOFError)
                return None if lost_while_idle else Receipt(token, Verdict.NOT_SENT, code=code)
            # The whole message may be there, and the answer to it lost.
            return Receipt(token, Verdict.UNKNOWN, code=code)
        finally:
            if session is not None:
                self._idle.append(session) if keep and not session.closed else session.close()

    async def _open(self) -> Session:
        """A new connection. The first one is opened alone: fifty wrong passwords at once would lock the account."""
        if not self._let_in:
            async with self._first:
                if not self._let_in:
                    return await self._open_one()
        return await self._open_one()

    async def _open_one(self) -> Session:
        if self._turned_away and time.monotonic() < self._turned_away[0]:
            raise Refused("connect", self._turned_away[1])
        try:
            async with asyncio.timeout(self._timeout):
                session = await Session.open(self._door, min(CONNECT_SECONDS, self._timeout))
        except Refused as refused:
            if refusal(refused.code) is Refusal.CONFIGURATION:
                self._let_in = False
                self._turned_away = (time.monotonic() + LOCKED_OUT_SECONDS, refused.code.removeprefix("connect "))
            raise
        self._let_in, self._turned_away = True, None
        return session

    async def find(self, lost: Lost) -> Never:
        raise Unreachable("a relay keeps no books")

    async def fetch(self, provider_id: str) -> Never:
        raise Unreachable("a relay keeps no books")

    def books(self, day: date) -> Never:
        raise NoBooks("a relay keeps no books")

    def refusal(self, code: str | None) -> Refusal:
        return refusal(code)


def refusal(code: str | None) -> Refusal:
    """What to do about a relay's answer, or about what it reported later (see `dsn`). Unknown ones are for review."""
    if code in dsn.refusals():
        return dsn.refusal(code)
    stage, *spoken = (code or "").split(" ")
    meanings = codes().get(stage, {})
    for key in (*reversed(spoken), *(digits[:1] for digits in spoken[:1])):
        if key in meanings:
            return meanings[key]
    return Refusal.REVIEW


@functools.cache
def codes() -> dict[str, dict[str, Refusal]]:
    """What a relay's answers mean, by the command they answered and the code."""
    table = tomllib.loads(Path(__file__).with_name("smtp_codes.toml").read_text())
    return {
        stage: {code: Refusal(refusal) for refusal, listed in meanings.items() for code in listed}
        for stage, meanings in table.items()
    }


def _commands(session: Session, mail: Mail, bounce: str) -> tuple[str, str]:
    """MAIL and RCPT. Failures and delays are to be reported with the headers only (RFC 3461). Raises Refused."""
    sender, recipient = f"MAIL FROM:<{bounce}>", f"RCPT TO:<{mail.to.address}>"
    if not mail.to.address.isascii():
        if not session.takes_utf8:
            raise Refused("rcpt", "utf8")
        sender += " SMTPUTF8"
    if session.reports_failures:
        sender += f" RET=HDRS ENVID={_xtext(bounce.rpartition('@')[0])}"
        recipient += " NOTIFY=FAILURE,DELAY"
    return sender, recipient


def _with_ascii_domain(to: Mailbox) -> Mailbox:
    """Raises UnicodeError where the domain is none."""
    local, _, domain = to.address.rpartition("@")
    return to if domain.isascii() else Mailbox(f"{local}@{domain.encode('idna').decode()}")


def _xtext(text: str) -> str:
    """https://www.rfc-editor.org/rfc/rfc3461#section-4"""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
