"""One kept-open connection to a relay, and handing over one message on it.

`aiosmtplib` greets, encrypts and signs in; then its connection is taken over, since it writes one command at a time and drops
answers that come together. With PIPELINING (RFC 2920) MAIL, RCPT and DATA are one packet and one round trip instead of three.
"""

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import aiosmtplib

LONGEST_LINE = 8192
MOST_LINES = 100

_LINE = re.compile(rb"([2-5]\d\d)([ -])?(.*?)\r?\n", re.DOTALL)
_ENHANCED = re.compile(rb"([245])\.\d{1,3}\.\d{1,3}(?= |$)")
_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a relay answered. Its words are not kept: they may repeat the address."""

    code: int
    enhanced: str | None

    @property
    def refuses(self) -> bool:
        return self.code >= 400

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced}" if self.enhanced else str(self.code)


class Refused(Exception):
    """The relay said no, and has nothing. `code` is the command it answered, and its codes: "rcpt 550 5.1.1"."""

    def __init__(self, stage: str, detail: object) -> None:
        super().__init__(f"{stage} {detail}")
        self.code = f"{stage} {detail}"
        self.goodbye = isinstance(detail, Reply) and detail.code == 421  # RFC 5321 §3.8: it closes the connection after this


class Garbled(Exception):
    """The relay's answer is not SMTP."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a relay is and how to get in. `tls` is None without TLS; `at_once` is TLS from the first byte."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    at_once: bool
    username: str
    password: str
    local_name: str
    pipelining: bool = True


class Session:
    """One connection, ready for messages. While `handing_over` the relay may have a whole message that it did not answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, extensions: frozenset[str]) -> None:
        self._reader, self._writer = reader, writer
        self._pipelining = "pipelining" in extensions
        self.reports_failures, self.takes_utf8 = "dsn" in extensions, "smtputf8" in extensions
        self.used = self.handing_over = False
        self._unsettled: list[str] | None = None  # after a refusal: the commands whose answers are still to come

    @classmethod
    async def open(cls, door: Door, timeout: float) -> Self:  # noqa: ASYNC109  # handed on to the library
        """Raises Refused for what the relay or its certificate says, and OSError, TimeoutError or Garbled for the network."""
        client = aiosmtplib.SMTP(
            hostname=door.host,
            port=door.port,
            username=door.username or None,
            password=door.password or None,
            local_hostname=door.local_name,
            timeout=timeout,
            use_tls=door.at_once,
            start_tls=door.tls is not None and not door.at_once,
            tls_context=door.tls,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except aiosmtplib.SMTPException as error:
            client.close()
            raise _translated(error) from None
        except ssl.SSLError:
            client.close()
            raise Refused("connect", "certificate") from None
        except BaseException:
            client.close()
            raise
        known = ("pipelining", "dsn", "smtputf8")
        extensions = frozenset(name for name in known if client.supports_extension(name))
        reader, writer = _taken_over(client)
        return cls(reader, writer, extensions if door.pipelining else extensions - {"pipelining"})

    async def hand_over(self, mail: str, rcpt: str, message: bytes) -> None:
        """Send one message; `mail` and `rcpt` are the two commands. Raises Refused, OSError, EOFError or Garbled.

        After Refused the connection can be used again, unless that was the relay's `goodbye`.
        """
        await self._settle()
        await self._envelope((("mail", mail), ("rcpt", rcpt), ("data", "DATA")))
        self.handing_over = True
        await self._write(_DOT.sub(b"..", message) + b".\r\n")
        reply = await self._reply()
        self.handing_over = False
        if reply.refuses:
            raise Refused("data", reply)

    async def _envelope(self, commands: Sequence[tuple[str, str]]) -> None:
        """Raises Refused at the first refusal; what else the relay answers is left for `_settle`."""
        if self._pipelining:
            await self._write("".join(f"{line}\r\n" for _, line in commands).encode())
        for number, (stage, line) in enumerate(commands, start=1):
            if not self._pipelining:
                await self._write(f"{line}\r\n".encode())
            reply = await self._reply(positive=3 if stage == "data" else 2)
            if reply.refuses:
                self._unsettled = [later for later, _ in commands[number:]] if self._pipelining else []
                raise Refused(stage, reply)

    async def _settle(self) -> None:
        """Bring a new connection, or one whose last message was refused, to where it takes a message."""
        self.handing_over = False
        if self._unsettled is not None:
            for stage in self._unsettled:
                if not (await self._reply(positive=3 if stage == "data" else 2)).refuses and stage == "data":
                    # It waits for the text of a message that goes to nobody (RFC 2920 §3.1). Going away proves that it got none.
                    raise ConnectionResetError
            await self._write(b"RSET\r\n")
            if (await self._reply()).refuses:
                raise ConnectionResetError
        self.used, self._unsettled = True, None

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _reply(self, positive: int = 2) -> Reply:
        """`positive` is the first digit of the answer that is hoped for. One that is neither that nor a refusal is Garbled."""
        for _ in range(MOST_LINES):
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                raise Garbled from None
            match = _LINE.fullmatch(line)
            if match is None:
                raise Garbled
            if match[2] != b"-":
                enhanced = _ENHANCED.match(match[3].rstrip())
                reply = Reply(int(match[1]), enhanced[0].decode() if enhanced else None)
                if not reply.refuses and reply.code // 100 != positive:
                    raise Garbled
                return reply
        raise Garbled

    @property
    def closed(self) -> bool:
        return self._writer.is_closing() or self._reader.at_eof()

    def close(self) -> None:
        self._writer.close()

    async def leave(self) -> None:
        """Say goodbye and close. What the relay answers no longer matters."""
        with suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(1):
                if not self.closed:
                    await self._write(b"QUIT\r\n")
                self.close()
                await self._writer.wait_closed()


def _translated(error: aiosmtplib.SMTPException) -> Exception:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return Refused("connect", Reply(error.code, None)) if 400 <= error.code < 600 else Garbled()
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Refused("connect", "certificate")
        cause = cause.__cause__
    if isinstance(error, TimeoutError):
        return TimeoutError()
    if isinstance(error, ConnectionError):
        return ConnectionError()
    return Refused("connect", "unsupported")  # It offers no STARTTLS, or no way to sign in.


def _taken_over(client: aiosmtplib.SMTP) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    transport = client.transport
    if not isinstance(transport, asyncio.Transport) or transport.is_closing():
        raise ConnectionResetError
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    protocol = asyncio.StreamReaderProtocol(reader)
    protocol.connection_made(transport)
    transport.set_protocol(protocol)
    return reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
