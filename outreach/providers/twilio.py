"""Twilio's Programmable Messaging, on its own `twilio` package.

The package retries nothing (we never ask it to: a repeated POST is a second text) and, in its asynchronous client, drops its own
`timeout`; `_Http` puts both right. Sources: https://www.twilio.com/docs/messaging/api/message-resource and
https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

import functools
import re
import socket
import tomllib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from outreach.providers.contract import (
    Envelope,
    Forged,
    Inbound,
    Lost,
    Malformed,
    Receipt,
    Refusal,
    Report,
    Standing,
    Unreachable,
    Verdict,
)
from outreach.providers.sockets import limit

# The initial statuses are never reported back; "read" (of richer channels) is at least delivered.
STATES = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "failed",
}

SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
ERROR_CODE = re.compile(r"[0-9]{1,6}")

CONNECT_SECONDS = 3.0

LISTED = 1000  # texts on one page of a list, the most that there may be
NOT_FINAL = 20009  # https://www.twilio.com/docs/api/errors/20009: a text that is on its way cannot be changed
NO_SUCH_TEXT = 20404
SENT_WITHIN = timedelta(days=1)  # a carrier may try for ten hours, `validity` at most


# What an answer that is not what Twilio documents ends in: the package reads it without looking. It proves nothing.
UNREADABLE = (TwilioException, aiohttp.ClientError, TimeoutError, OSError, ValueError, TypeError, AttributeError, KeyError)

# Asks Twilio to repeat a callback that fails, for any reason.
# https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
OVERRIDES = "#rc=5&rp=all"


class TwilioTexts:
    """Texts through one Twilio account. Use as `async with` to send; reading callbacks needs no connection."""

    name = "twilio"

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        previous_token: str = "",
        sender: str,
        api_url: str,
        callback_base: str,
        in_flight: int,
        timeout: float,
        allowed_numbers: tuple[str, ...] = (),
    ) -> None:
        """`callback_base` is our public address; `timeout` is seconds. `allowed_numbers`: empty means any."""
        self._sid, self._token = account_sid, auth_token
        self._validators = [RequestValidator(token) for token in (auth_token, previous_token) if token]
        self._origin = {"messaging_service_sid": sender} if sender.startswith("MG") else {"from_": sender}
        self._sender = sender
        self._api_url = api_url.rstrip("/")
        self._base = callback_base.rstrip("/")
        self._in_flight, self._timeout = in_flight, timeout
        self._allowed = frozenset(allowed_numbers)
        self._codes = codes()
        self._http: _Http | None = None
        self._client: Client | None = None

    async def __aenter__(self) -> "TwilioTexts":
        self._http = _Http(self._in_flight, self._timeout)
        self._client = Client(self._sid, self._token, http_client=self._http)
        self._client.api.base_url = self._api_url
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._http is not None
        await self._http.close()

    def callback_url(self, token: UUID) -> str:
        """The address that reports on one attempt are sent to."""
        return f"{self._base}/webhooks/twilio/status/{token}{OVERRIDES}"

    async def send(self, envelope: Envelope) -> Receipt:
        assert self._client is not None
        token = envelope.token
        if self._allowed and envelope.to not in self._allowed:
            return Receipt(token, Verdict.REFUSED, code="not_allowed_here", refusal=Refusal.REVIEW)
        try:
            sent = await self._client.messages.create_async(
                to=envelope.to,
                body=envelope.text,
                status_callback=self.callback_url(token),
                validity_period=envelope.validity,
                **self._origin,
            )
        except _TooFast as error:
            # https://www.twilio.com/docs/api/errors/20429: a request that was turned away was not processed.
            return Receipt(token, Verdict.REFUSED, code="20429", refusal=Refusal.BACK_OFF, retry_after=error.retry_after)
        except (TwilioRestException, TwilioServiceException) as error:
            return self._refused(token, error)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            # Name look-up, a refused connection, a failed handshake, or no connection in time: nothing was written.
            return Receipt(token, Verdict.NOT_SENT, code=type(error).__name__)
        except UNREADABLE as error:
            # A lost or garbled answer is not a lost text.
            return Receipt(token, Verdict.UNKNOWN, code=type(error).__name__)
        if not sent.sid:
            return Receipt(token, Verdict.UNKNOWN, code="no_sid")
        return Receipt(token, Verdict.ACCEPTED, provider_id=sent.sid)

    def _refused(self, token: UUID, error: TwilioRestException | TwilioServiceException) -> Receipt:
        if error.status >= 500 or error.status == 408:
            # https://www.twilio.com/docs/api/errors/20500: the text may have been sent.
            return Receipt(token, Verdict.UNKNOWN, code=str(error.code or error.status))
        if error.status < 400:
            return Receipt(token, Verdict.UNKNOWN, code=f"http_{error.status}")
        # Twilio's JSON carries a code; an answer without one (a proxy's page, say) leaves only the HTTP status.
        code = str(error.code) if error.code else f"http_{error.status}"
        refusal = self._codes.get(code) or (Refusal.CONFIGURATION if error.status in OURS_TO_MEND else Refusal.REVIEW)
        return Receipt(token, Verdict.REFUSED, code=code, refusal=refusal)

    async def find(self, lost: Lost) -> list[Standing]:
        # Not filtered by date_sent, which is empty while a text is queued: that would hide the very texts that are looked for.
        assert self._client is not None
        try:
            found = await self._client.messages.list_async(to=lost.to, page_size=LISTED)
            assert self._http is not None  # It was opened with the client.
            since = lost.since + self._http.ahead
            standings = [(message.direction, self._standing(message)) for message in found]
            return [each for direction, each in standings if direction == "outbound-api" and each.created_at >= since]
        except UNREADABLE as error:
            raise Unreachable(type(error).__name__) from None

    async def fetch(self, provider_id: str) -> Standing | None:
        assert self._client is not None
        try:
            return self._standing(await self._client.messages(provider_id).fetch_async())
        except (TwilioRestException, TwilioServiceException) as error:
            if error.status == 404:
                return None
            raise Unreachable(f"http_{error.status}") from None
        except UNREADABLE as error:
            raise Unreachable(type(error).__name__) from None

    async def books(self, day: date) -> AsyncIterator[list[Standing]]:
        """Those that left Twilio on the day or the day after it: a text of late evening is sent after midnight.

        What is still queued has no date of sending and is in no dated listing: it is found by `fetch`, or by a later look.
        """
        assert self._client is not None
        try:
            # Dates, as documented; a date of `DateSent<` is meant inclusively.
            page = await self._client.messages.page_async(
                date_sent_after=day.isoformat(), date_sent_before=(day + SENT_WITHIN).isoformat(), page_size=LISTED
            )
            while page is not None:
                standings = [(message.direction, self._standing(message)) for message in page]
                yield [each for direction, each in standings if direction == "outbound-api"]
                page = await page.next_page_async()
        except UNREADABLE as error:
            raise Unreachable(type(error).__name__) from None

    async def redact(self, provider_id: str) -> bool:
        assert self._client is not None
        try:
            await self._client.messages(provider_id).update_async(body="")
        except (TwilioRestException, TwilioServiceException) as error:
            # A proxy's page has no code, and proves nothing.
            if error.code in (NOT_FINAL, NO_SUCH_TEXT):
                return bool(error.code == NO_SUCH_TEXT)
            raise Unreachable(f"http_{error.status}") from None
        except UNREADABLE as error:
            raise Unreachable(type(error).__name__) from None
        return True

    def _standing(self, message: Any) -> Standing:
        if not message.sid:
            raise ValueError
        created = message.date_created
        if isinstance(created, str):
            created = parsedate_to_datetime(created)
        return Standing(
            provider_id=message.sid,
            status=message.status,
            state=STATES.get(message.status, "accepted"),
            code=str(message.error_code) if message.error_code else None,
            to=message.to,
            text=message.body or "",
            created_at=created if created.tzinfo else created.replace(tzinfo=UTC),
        )

    def refusal(self, code: str | None) -> Refusal:
        return self._codes.get(code or "", Refusal.REVIEW)

    def read_report(self, token: UUID, path: str, form: Mapping[str, str], signature: str | None) -> Report:
        self._verify(path, form, signature)
        sid, status = _field(form, "MessageSid"), _field(form, "MessageStatus")
        if status not in STATES:
            raise Malformed("MessageStatus is none that Twilio documents")
        code = form.get("ErrorCode") or None
        if not SID.fullmatch(sid) or (code and not ERROR_CODE.fullmatch(code)):
            raise Malformed("MessageSid or ErrorCode is not what Twilio documents")
        return Report(f"{sid}:{status}:{code or ''}", token, sid, status, STATES[status], code)

    def read_inbound(self, path: str, form: Mapping[str, str], signature: str | None) -> Inbound:
        self._verify(path, form, signature)
        if "Body" not in form:
            raise Malformed("Body is missing")
        sid = _field(form, "MessageSid")
        if not SID.fullmatch(sid):
            raise Malformed("MessageSid is not what Twilio documents")
        return Inbound(sid, _field(form, "From"), form["Body"])

    def _verify(self, path: str, form: Mapping[str, str], signature: str | None) -> None:
        # Which fields come is not checked: Twilio adds some without notice, and a STOP must not be lost for that.
        # https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
        if not signature:
            raise Forged
        # The address as Twilio called it: ours by configuration, never what a Host header claims. Whether Twilio signs the
        # overrides with it is not documented, so either will do: they are a constant of ours.
        urls = (self._base + path, self._base + path + OVERRIDES)
        if not any(validator.validate(url, form, signature) for validator in self._validators for url in urls):
            raise Forged
        if form.get("AccountSid") != self._sid:
            raise Forged


@functools.cache
def codes() -> dict[str, Refusal]:
    """Twilio's error codes as text, and what to do about each."""
    table = tomllib.loads(Path(__file__).with_name("twilio_codes.toml").read_text())
    return {str(code): Refusal(refusal) for refusal, entry in table.items() for code in entry["codes"]}


# Statuses that no single text can cause: the account, its token, the address of the API, or a proxy between us and it.
OURS_TO_MEND = (401, 403, 404, 407)


class _TooFast(TwilioException):  # type: ignore[misc]  # the package ships no types
    """429. The package's own exceptions drop the header that says how long to wait."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("429")
        self.retry_after = retry_after


class _Http(AsyncTwilioHttpClient):  # type: ignore[misc]  # the package ships no types
    """The package's client with its timeouts in force, one session of bounded size, and no trace of requests in memory.

    `ahead` is by how much Twilio's clock is ahead of ours, by its latest answer to a look-up.
    """

    def __init__(self, in_flight: int, timeout: float) -> None:
        self.ahead = timedelta()
        super().__init__(pool_connections=False, timeout=timeout)
        self._limit = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS)
        connect = aiohttp.TCPConnector(limit=in_flight, socket_factory=lambda to: limit(socket.socket(*to[:3]), timeout))
        self.session = aiohttp.ClientSession(connector=connect, timeout=self._limit)

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the signature is the package's; the session has our own
        allow_redirects: bool = False,
    ) -> Response:
        assert self.session is not None
        async with self.session.request(
            method.upper(),
            url,
            params=params,
            data=data,
            headers=(headers or {}) | ({"Authorization": aiohttp.encode_basic_auth(*auth)} if auth else {}),
            allow_redirects=allow_redirects,
        ) as response:
            if method == "GET":
                self.ahead = _clock(response.headers.get("Date", "")) - datetime.now(UTC)
            if response.status == 429:
                wait = response.headers.get("Retry-After", "")
                raise _TooFast(float(wait) if wait.isascii() and wait.isdigit() else None)
            return Response(response.status, await response.text(), response.headers)


def _clock(date: str) -> datetime:
    """The time that an answer's Date header tells; ours where it tells none."""
    try:
        return parsedate_to_datetime(date).replace(tzinfo=UTC)  # HTTP dates are always in GMT.
    except ValueError:
        return datetime.now(UTC)


def _field(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value or len(value) > 64:
        raise Malformed(f"{name} is missing or too long")
    return value
