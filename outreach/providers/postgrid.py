"""PostGrid, a mail house: it prints our PDF, puts it into an envelope and hands it to USPS. On its own `postgrid-python` package.

The package would retry by itself; we do not let it, since who may repeat what is decided by our books. A repeat under the same
token is safe: the token is the Idempotency-Key. Sources: the package (generated from PostGrid's OpenAPI) and
https://postgrid.readme.io/docs/response-codes-and-retry-logic
"""

import asyncio
import functools
import hashlib
import hmac
import json
import logging
import re
import tomllib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from fnmatch import fnmatchcase
from pathlib import Path
from time import time
from typing import Any
from uuid import UUID

import httpx
import jwt
from postgrid import (
    APIConnectionError,
    APIStatusError,
    AsyncPostGrid,
    DefaultAsyncHttpxClient,
    NotFoundError,
    PostGridError,
    RateLimitError,
)

from outreach.providers.contract import (
    Forged,
    Letter,
    Lost,
    Malformed,
    Receipt,
    Refusal,
    Report,
    Standing,
    Unreachable,
    Verdict,
)
from outreach.providers.postgrid_address import Contact, Unreadable, contact
from outreach.providers.sockets import options

LETTER_ID = re.compile(r"letter_[A-Za-z0-9]{1,64}")
EVENT_ID = re.compile(r"event_[A-Za-z0-9]{1,64}")
ERROR_TYPE = re.compile(r"[a-z0-9_]{1,64}")
SIGNATURE = re.compile(r"t=([0-9]{9,14}),v1=([0-9a-f]{64})")

CONNECT_SECONDS = 3.0
LISTED = 100  # letters on one page of a list
# How old a signed callback may be. Each of PostGrid's own repeats is signed anew.
FRESH_SECONDS = 600
# Only these say something about a letter: https://postgrid.readme.io/reference/webhooks
EVENTS = ("letter.created", "letter.updated")

# What an answer that is not what PostGrid documents ends in: the package reads it without looking. It proves nothing.
UNREADABLE = (PostGridError, httpx.HTTPError, TimeoutError, OSError, ValueError, TypeError, AttributeError, KeyError)
# Name look-up, a refused connection, a failed handshake, or no connection in time: nothing was written.
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# Statuses that no single letter can cause: the account, its key or its balance, the address of the API, a proxy between us.
OURS_TO_MEND = (401, 402, 403, 404, 407)
# 409: a request with the same key is still being worked on.
UNDECIDED = (408, 409)

# At its debug level the package writes whole requests into the log, recipients included.
logging.getLogger("postgrid").setLevel(logging.WARNING)


class PostGridLetters:
    """Letters through one PostGrid account. Use as `async with` to send; reading callbacks needs no connection."""

    name = "postgrid"

    def __init__(
        self,
        *,
        api_key: str,
        webhook_secret: str,
        api_url: str,
        sender: tuple[str, ...],
        in_flight: int = 10,
        timeout: float,
        address_in_window: bool = True,
        envelope: str = "standard",
        return_envelope: str = "",
        mailing_class: str = "first_class",
        double_sided: bool = True,
    ) -> None:
        """`sender` is the return address from the name down, in the United States; raises `Unreadable` where it is not one.

        `address_in_window`: our first page shows the address where PostGrid stamps it (it covers what is there); otherwise a
        page of theirs with the address comes before ours. `envelope` and `return_envelope` are ids of the account; `timeout`
        is seconds for one call.
        """
        self._key, self._secret, self._url = api_key, webhook_secret.encode(), api_url.rstrip("/")
        self._sender = contact(sender, "US")
        self._gate = asyncio.Semaphore(in_flight)
        self.in_flight, self._timeout = in_flight, timeout
        self._options: dict[str, Any] = {
            "address_placement": "top_first_page" if address_in_window else "insert_blank_page",
            "envelope": envelope,
            "mailing_class": mailing_class,
            "double_sided": double_sided,
            "color": False,
            "size": "us_letter",
        }
        if return_envelope:
            self._options["return_envelope"] = return_envelope
        self._client: AsyncPostGrid | None = None

    async def __aenter__(self) -> "PostGridLetters":
        # A redirect is not followed: it would take the letter to somebody else.
        http = DefaultAsyncHttpxClient(
            follow_redirects=False,
            timeout=httpx.Timeout(self._timeout, connect=CONNECT_SECONDS),
            transport=httpx.AsyncHTTPTransport(
                limits=httpx.Limits(max_connections=self.in_flight, max_keepalive_connections=self.in_flight),
                socket_options=options(self._timeout),
            ),
        )
        self._client = AsyncPostGrid(
            print_mail_api_key=self._key, address_verification_api_key="", base_url=self._url, max_retries=0, http_client=http
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._client is not None
        await self._client.close()

    async def send(self, letter: Letter) -> Receipt:
        token = letter.token
        if not self._key:
            return Receipt(token, Verdict.REFUSED, code="no_api_key", refusal=Refusal.CONFIGURATION)
        try:
            request = self._request(letter, contact(letter.recipient, letter.country))
        except Unreadable as error:
            return Receipt(token, Verdict.REFUSED, code=error.code, refusal=Refusal.REVIEW)
        assert self._client is not None
        try:
            # The clock starts when it is this letter's turn: httpx knows no limit for a whole call.
            async with self._gate, asyncio.timeout(self._timeout):
                made = await self._client.print_mail.letters.create(**request, idempotency_key=str(token))
        except APIStatusError as error:
            return self._refused(token, error)
        except APIConnectionError as error:
            cause = error.__cause__ or error
            verdict = Verdict.NOT_SENT if isinstance(cause, NEVER_LEFT) else Verdict.UNKNOWN
            return Receipt(token, verdict, code=type(cause).__name__)
        except UNREADABLE as error:
            # A lost or garbled answer is not a lost letter.
            return Receipt(token, Verdict.UNKNOWN, code=type(error).__name__)
        identity = getattr(made, "id", None)
        if not isinstance(identity, str) or not LETTER_ID.fullmatch(identity):
            return Receipt(token, Verdict.UNKNOWN, code="no_id")
        return Receipt(token, Verdict.ACCEPTED, provider_id=identity)

    def _request(self, letter: Letter, to: Contact) -> dict[str, Any]:
        # The recipient stands in `to` alone, and `secret` keeps it out of PostGrid's dashboard and answers. All else is the token.
        return self._options | {
            "to": to.fields(secret=True),
            "from_": self._sender.fields(secret=False),
            "pdf": ("letter.pdf", letter.pdf, "application/pdf"),
            "description": str(letter.token),
            "metadata": {"token": str(letter.token)},
        }

    def _refused(self, token: UUID, error: APIStatusError) -> Receipt:
        status = error.status_code
        code = _error_type(error.body) or f"http_{status}"
        if isinstance(error, RateLimitError):
            wait = error.response.headers.get("Retry-After", "")
            seconds = float(wait) if wait.isascii() and wait.isdigit() else None
            return Receipt(token, Verdict.REFUSED, code=code, refusal=Refusal.BACK_OFF, retry_after=seconds)
        if status >= 500 or status < 400 or status in UNDECIDED:
            return Receipt(token, Verdict.UNKNOWN, code=code)
        refusal = Refusal.CONFIGURATION if status in OURS_TO_MEND else self.refusal(code)
        return Receipt(token, Verdict.REFUSED, code=code, refusal=refusal)

    async def find(self, lost: Lost) -> list[Standing]:
        assert self._client is not None
        try:
            # In quotes it means: this very string somewhere in the letter's fields. Ours stands in two of them.
            async with asyncio.timeout(self._timeout):
                page = await self._client.print_mail.letters.list(search=f'"{lost.token}"', limit=100)
            found = [_standing(letter) for letter in page.data]
        except UNREADABLE as error:
            raise Unreachable(type(error).__name__) from None
        if any(standing.token != lost.token for standing in found):
            # The search was not understood, so a letter's absence from its results proves nothing.
            raise Unreachable("search")
        return found

    async def fetch(self, provider_id: str) -> Standing | None:
        assert self._client is not None
        try:
            async with asyncio.timeout(self._timeout):
                return _standing(await self._client.print_mail.letters.retrieve(provider_id))
        except NotFoundError as error:
            if _error_type(error.body) is None:
                raise Unreachable("http_404") from None  # A proxy's page, say: PostGrid's own answer has a type.
            return None
        except UNREADABLE as error:
            raise Unreachable(type(error).__name__) from None

    async def books(self, day: date) -> AsyncIterator[list[Standing]]:
        """All letters from the newest back to the day before. PostGrid documents neither a filter by date nor the order of a list:
        one that is not newest first is read to its end. What is made meanwhile pushes others to the next page, so some come twice.
        """
        assert self._client is not None
        earliest = datetime.combine(day, clock(), UTC) - timedelta(days=1)
        previous, skip, newest_first = datetime.max.replace(tzinfo=UTC), 0, True
        try:
            while True:
                async with asyncio.timeout(self._timeout):
                    page = await self._client.print_mail.letters.list(limit=LISTED, skip=skip)
                found = [_standing(letter) for letter in page.data]
                if not found:
                    return
                yield found
                for standing in found:
                    newest_first = newest_first and standing.created_at <= previous
                    previous = standing.created_at
                if newest_first and previous < earliest:
                    return
                skip += len(found)
        except UNREADABLE as error:
            raise Unreachable(type(error).__name__) from None

    async def cancel(self, provider_id: str) -> bool:
        """Call a letter back, which PostGrid does only while it is `ready`. Safe to repeat.

        True: it will never be printed. False: too late, or PostGrid has no such letter. Raises Unreachable when neither is known.
        """
        assert self._client is not None
        try:
            async with asyncio.timeout(self._timeout):
                standing: Standing | None = _standing(await self._client.print_mail.letters.delete(provider_id))
        except UNREADABLE:
            # Refused, or the answer was lost: what became of it stands in the letter.
            standing = await self.fetch(provider_id)
        # One that is still ready was not called back, and still can be.
        if standing is not None and standing.status == "ready":
            raise Unreachable("cancel")
        return standing is not None and standing.status == "cancelled"

    def refusal(self, code: str | None) -> Refusal:
        return refusal(code)

    def read_events(self, body: bytes, headers: Mapping[str, str]) -> list[Report]:
        """What one callback says, as raw bytes with its headers. Raises Forged or Malformed.

        Empty for an event that is not about a letter of ours. Both formats that an account can choose between are read: JSON with
        a `PostGrid-Signature`, and a signed token (JWT), which is PostGrid's default.
        https://postgrid.readme.io/docs/manually-verifying-webhook-signatures
        """
        event = self._verified(body, {name.lower(): value for name, value in headers.items()})
        identity, kind, letter = event.get("id"), event.get("type"), event.get("data")
        if not isinstance(identity, str) or not EVENT_ID.fullmatch(identity) or not isinstance(kind, str):
            raise Malformed("id or type is not what PostGrid documents")
        if kind not in EVENTS:
            return []
        if not isinstance(letter, dict):
            raise Malformed("data is missing")
        token = _token(letter.get("metadata"))
        if token is None:
            return []  # A letter that somebody made in the dashboard.
        number = letter.get("id")
        if not isinstance(number, str) or not LETTER_ID.fullmatch(number):
            raise Malformed("data.id is not what PostGrid documents")
        word, code = _word(letter.get("status"), letter.get("imbStatus"), letter.get("cancellation"))
        if word not in words().states:
            raise Malformed("data.status is none that PostGrid documents")
        return [Report(f"{identity}:{word}", token, number, word, words().states[word], code)]

    def _verified(self, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        # Without a secret nothing is believed: anybody can sign with an empty one.
        if not self._secret:
            raise Forged
        if not body.lstrip().startswith(b"{"):
            try:
                return jwt.decode(body.strip(), self._secret, algorithms=["HS256"], leeway=FRESH_SECONDS)
            except jwt.PyJWTError:
                raise Forged from None
        signature = SIGNATURE.fullmatch(headers.get("postgrid-signature", "").strip())
        if signature is None:
            raise Forged
        at, given = signature.groups()
        expected = hmac.new(self._secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        # One page of the documentation shows milliseconds, another seconds.
        seconds = int(at) / 1000 if len(at) > 11 else int(at)
        if not hmac.compare_digest(given, expected) or abs(time() - seconds) > FRESH_SECONDS:
            raise Forged
        try:
            event = json.loads(body)
        except ValueError:
            raise Malformed("the body is not JSON") from None
        assert isinstance(event, dict)  # It begins with a brace.
        return event


@dataclass(frozen=True, slots=True)
class Words:
    """PostGrid's words: what each status or scan is to us, which scans there are, and which codes make which refusal."""

    states: dict[str, str]
    scans: frozenset[str]
    refusals: dict[Refusal, tuple[str, ...]]


def refusal(code: str | None) -> Refusal:
    """What to do about a code, by the patterns of the table. Unknown ones are for review."""
    for meaning, patterns in words().refusals.items():
        if code and any(fnmatchcase(code, pattern) for pattern in patterns):
            return meaning
    return Refusal.REVIEW


@functools.cache
def words() -> Words:
    """The table in postgrid.toml."""
    table = tomllib.loads(Path(__file__).with_name("postgrid.toml").read_text())
    refusals = {Refusal(refusal): tuple(patterns) for refusal, patterns in table["refusals"].items()}
    return Words(table["statuses"] | table["scans"], frozenset(table["scans"]), refusals)


def _word(status: object, scan: object, cancellation: object) -> tuple[str, str | None]:
    """The one word that says most, and the reason of a cancellation."""
    if status == "cancelled":
        reason = cancellation.get("reason") if isinstance(cancellation, dict) else None
        return "cancelled", reason if isinstance(reason, str) and ERROR_TYPE.fullmatch(reason) else None
    return (scan if isinstance(scan, str) and scan in words().scans else str(status)), None


def _standing(letter: Any) -> Standing:
    if not LETTER_ID.fullmatch(letter.id) or not isinstance(letter.created_at, datetime):
        raise ValueError
    cancellation = letter.cancellation.to_dict() if letter.cancellation else None
    word, code = _word(letter.status, letter.imb_status, cancellation)
    return Standing(
        provider_id=letter.id,
        status=word,
        state=words().states.get(word, "accepted"),
        code=code,
        to="",
        text="",
        created_at=letter.created_at,
        token=_token(letter.metadata),
    )


def _token(metadata: object) -> UUID | None:
    given = metadata.get("token") if isinstance(metadata, dict) else None
    try:
        return UUID(given) if isinstance(given, str) else None
    except ValueError:
        return None


def _error_type(body: object) -> str | None:
    """The type in `{"object": "error", "error": {"type": …, "message": …}}`. The message stays unread: it may quote an address."""
    error = body.get("error", body) if isinstance(body, dict) else None
    given = error.get("type") if isinstance(error, dict) else None
    return given if isinstance(given, str) and ERROR_TYPE.fullmatch(given) else None
