"""SendGrid's Mail Send, Email Activity, Event Webhook and Inbound Parse, on its own `sendgrid` package.

Sources: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send and
https://www.twilio.com/docs/sendgrid/api-reference/email-activity/filter-all-messages
"""

import asyncio
import functools
import json
import re
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    BypassListManagement,
    ClickTracking,
    Content,
    CustomArg,
    FooterSettings,
    From,
    Ganalytics,
    Header,
    MailSettings,
    OpenTracking,
    Personalization,
    ReplyTo,
    SubscriptionTracking,
    To,
    TrackingSettings,
)
from sendgrid.helpers.mail import Mail as Message

from outreach.providers import sendgrid_events, sendgrid_inbound
from outreach.providers.contract import (
    Attachment,
    InboundMail,
    Lost,
    Mail,
    Mailbox,
    NoBooks,
    Objected,
    Receipt,
    Refusal,
    Report,
    Standing,
    Unreachable,
    Verdict,
)
from outreach.providers.sendgrid_events import ARGUMENT
from outreach.providers.sendgrid_http import Answer, Api, Connections, NoAnswer, NoConnection

# What the Email Activity calls a mail's state. https://www.twilio.com/docs/sendgrid/api-reference/email-activity
STANDINGS = {"processed": "accepted", "delivered": "delivered", "not_delivered": "undelivered"}

MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
FIELD = re.compile(r"[a-z0-9_.]{1,60}")
LONGEST_WAIT = 3600.0
ACTIVITY_LIMIT = 1000  # results of one search of the Email Activity; there are no pages
DEFERRED_FOR = timedelta(days=3)  # SendGrid tries for so long: https://www.twilio.com/docs/sendgrid/ui/sending-email/deferrals
ACTIVITY_WAITS = 20  # times that a search is repeated because it came too soon: only a few a minute are allowed


class SendGridMail:
    """Mails through one SendGrid account, one request each. Use as `async with` to send; reading callbacks needs no connection.

    A repeated POST is a second mail, so nothing is ever posted twice. The package is synchronous: it runs in threads of our own.
    """

    name = "sendgrid"

    def __init__(
        self,
        *,
        api_key: str,
        sender: Mailbox,
        sender_name: str,
        api_url: str,
        in_flight: int,
        timeout: float,
        activity: bool = False,
        webhook_keys: tuple[str, ...] = (),
        inbound_password: str = "",
        read_address: Callable[[str], UUID | None] = lambda _: None,
        allowed_domains: tuple[str, ...] = (),
    ) -> None:
        """`timeout` is seconds. `activity`: the account may search its Email Activity, an add-on. `webhook_keys` are base64 DER as
        SendGrid shows them, several while one replaces another; without any, and without a password, every callback is forged.
        `read_address` says which attempt an address of ours names. `allowed_domains`: empty means any. Raises BadKey.
        """
        self._api_key, self._api_url = api_key, api_url.rstrip("/")
        self._from = From(sender.address, sender_name)
        self._in_flight, self._timeout, self._activity = in_flight, timeout, activity
        self._keys = sendgrid_events.public_keys(webhook_keys)
        self._password, self._read_address = inbound_password, read_address
        self._allowed = frozenset(domain.casefold() for domain in allowed_domains)
        self._threads: ThreadPoolExecutor | None = None
        self._connections: Connections | None = None
        self._client: SendGridAPIClient | None = None

    async def __aenter__(self) -> "SendGridMail":
        self._threads = ThreadPoolExecutor(self._in_flight, "sendgrid")
        self._connections = Connections(self._api_url, self._timeout)
        self._client = SendGridAPIClient(self._api_key)
        self._client.client = Api(self._connections, host="", request_headers=self._client._default_headers, version=3)  # noqa: SLF001  # the package offers no other way to its own headers
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._threads is not None
        assert self._connections is not None
        # Whoever still waits for an answer ends by the limit of its own call, and nobody waits for them.
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._connections.close()

    async def send(self, mail: Mail) -> Receipt:
        token = mail.token
        if self._allowed and mail.to.address.rpartition("@")[2].casefold() not in self._allowed:
            return Receipt(token, Verdict.REFUSED, code="not_allowed_here", refusal=Refusal.REVIEW)
        try:
            answer = await self._in_thread(lambda client: client.send(self.message(mail)))
        except NoConnection as error:
            return Receipt(token, Verdict.NOT_SENT, code=str(error))
        except NoAnswer as error:
            # A lost or garbled answer is not a lost mail.
            return Receipt(token, Verdict.UNKNOWN, code=str(error))
        return self._receipt(token, answer)

    def message(self, mail: Mail) -> Message:
        """The mail as the package builds it: one recipient, our token and no more, and nothing that watches its reader."""
        message = Message(from_email=self._from, subject=mail.subject)
        person = Personalization()
        person.add_to(To(mail.to.address))
        person.add_custom_arg(CustomArg(ARGUMENT, str(mail.token)))
        message.add_personalization(person)
        message.reply_to = ReplyTo(mail.reply_to.address)
        message.add_content(Content("text/plain", mail.text))
        message.add_content(Content("text/html", mail.html))
        # One click in a mail program (RFC 8058), or a mail to the address that is answered anyway (RFC 2369).
        by_mail = f"mailto:{quote(mail.reply_to.address, safe='@')}?subject=unsubscribe"
        message.add_header(Header("List-Unsubscribe", f"<{mail.unsubscribe_url}>, <{by_mail}>"))
        message.add_header(Header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        message.add_header(Header("Content-Language", mail.language))
        # Said outright, since an account's own settings may say otherwise.
        tracking = TrackingSettings()
        tracking.open_tracking = OpenTracking(enable=False)
        tracking.click_tracking = ClickTracking(enable=False, enable_text=False)
        tracking.subscription_tracking = SubscriptionTracking(enable=False)
        tracking.ganalytics = Ganalytics(enable=False)
        message.tracking_settings = tracking
        settings = MailSettings()
        settings.bypass_list_management = BypassListManagement(enable=False)
        settings.footer_settings = FooterSettings(enable=False)
        message.mail_settings = settings
        return message

    async def _in_thread(self, call: Callable[[SendGridAPIClient], Answer]) -> Answer:
        """Raises NoConnection or NoAnswer, and is back when the time is up though a thread should still be waiting."""
        assert self._threads is not None
        running = self._threads.submit(call, self._client)
        try:
            async with asyncio.timeout(self._timeout + 1):
                return await asyncio.wrap_future(running)
        except TimeoutError:
            # A call that can still be cancelled has not begun.
            raise (NoConnection("Queued") if running.cancel() else NoAnswer("TimeoutError")) from None

    def _receipt(self, token: UUID, answer: Answer) -> Receipt:
        status = answer.status_code
        if status == 202:
            provider_id = sendgrid_events.message_id(answer.headers.get("X-Message-Id", ""))
            if MESSAGE_ID.fullmatch(provider_id):
                return Receipt(token, Verdict.ACCEPTED, provider_id=provider_id)
            return Receipt(token, Verdict.UNKNOWN, code="no_message_id")
        if status < 400 or status >= 500 or status == 408:
            return Receipt(token, Verdict.UNKNOWN, code=f"http_{status}")
        code = _code(answer)
        return Receipt(token, Verdict.REFUSED, code=code, refusal=self.refusal(code), retry_after=_wait(answer))

    async def find(self, lost: Lost) -> list[Standing]:
        found = await self._messages(f"(unique_args['{ARGUMENT}']=\"{lost.token}\")")
        return [_standing(message, lost.token) for message in found]

    async def fetch(self, provider_id: str) -> Standing | None:
        if not MESSAGE_ID.fullmatch(provider_id):
            return None
        # The books add a suffix to the id that the sender was given. An underscore, which LIKE takes for any letter, may be in it.
        found = await self._messages(f"msg_id LIKE '{provider_id}%'")
        standings = (_standing(message, None) for message in found)
        return next((standing for standing in standings if standing.provider_id == provider_id), None)

    async def books(self, day: date) -> AsyncIterator[list[Standing]]:
        """Those whose last event was on the day or in the three after it, which SendGrid keeps trying for.

        The Email Activity has no pages and tells at most 1,000 mails: a span of time with more is asked about in halves. It does
        not tell our token here, nor when a mail was taken.
        """
        if not self._activity:
            raise NoBooks("no_activity")
        start = datetime.combine(day, clock(), UTC)
        end = min(start + timedelta(days=1) + DEFERRED_FOR, datetime.now(UTC) + timedelta(minutes=10))
        spans = [(start, end)] if end > start else []
        while spans:
            start, end = spans.pop()
            query = f'last_event_time BETWEEN TIMESTAMP "{_stamp(start)}" AND TIMESTAMP "{_stamp(end)}"'
            found = await self._messages(query, waits=ACTIVITY_WAITS)
            if len(found) < ACTIVITY_LIMIT:
                yield [_standing(message, None) for message in found]
                continue
            middle = (start + (end - start) / 2).replace(microsecond=0)
            if not start < middle < end:
                raise Unreachable("too_many_at_once")
            # Both ends belong to a span, so what lies in the middle comes twice.
            spans += [(middle, end), (start, middle)]

    async def _messages(self, query: str, *, waits: int = 0) -> list[dict[str, Any]]:
        if not self._activity:
            raise NoBooks("no_activity")
        try:
            while True:
                answer = await self._in_thread(
                    lambda api: api.client.messages.get(query_params={"query": query, "limit": str(ACTIVITY_LIMIT)})
                )
                if answer.status_code != 429 or not waits:
                    break
                waits -= 1
                await asyncio.sleep(min(_wait(answer) or 10.0, 60.0))
            if answer.status_code != 200:
                raise Unreachable(f"http_{answer.status_code}")
            return [dict(message) for message in json.loads(answer.body)["messages"]]
        except (NoConnection, NoAnswer) as error:
            raise Unreachable(str(error)) from None
        except (ValueError, TypeError, KeyError) as error:
            raise Unreachable(type(error).__name__) from None

    def refusal(self, code: str | None) -> Refusal:
        return refusal(code)

    def read_events(self, body: bytes, signature: str | None, timestamp: str | None) -> list[Report | Objected]:
        """A call of the Event Webhook: up to thousands of events, in any order, some for the second time. Safe to repeat.

        `body` is as it came, `signature` and `timestamp` are its X-Twilio-Email-Event-Webhook-Signature and -Timestamp. No age is
        refused, since SendGrid repeats for a day: the key of a report is what tells a repetition. Raises Forged or Malformed.
        """
        sendgrid_events.verify(self._keys, body, signature, timestamp)
        return sendgrid_events.read(body)

    def read_inbound(self, form: Mapping[str, bytes], files: Mapping[str, Attachment], authorization: str | None) -> InboundMail:
        """A call of Inbound Parse, parsed or raw; `sendgrid_inbound.read_form` reads `form` and `files` from its body.

        `authorization` is the header of that name: the address given to SendGrid holds any user and our password. Safe to repeat:
        the same mail has the same `provider_id`. Raises Forged or Malformed.
        """
        sendgrid_inbound.verify(self._password, authorization)
        return sendgrid_inbound.read(form, files, self._read_address)


def refusal(code: str | None) -> Refusal:
    """What to do about a code: what its longest known beginning means."""
    while code:
        if code in codes():
            return codes()[code]
        code = code[: max(code.rfind("."), code.rfind(":"), 0)]
    return Refusal.REVIEW


@functools.cache
def codes() -> dict[str, Refusal]:
    """What each code, or beginning of one, means."""
    table = tomllib.loads(Path(__file__).with_name("sendgrid_codes.toml").read_text())
    return {code: Refusal(refusal) for refusal, entry in table.items() for code in entry["codes"]}


def _code(answer: Answer) -> str:
    """`400:` and the first field complained of, or `http_` and the status. The sentence may hold an address and is not read."""
    if answer.status_code == 400:
        try:
            fields = [error.get("field") for error in json.loads(answer.body)["errors"]]
        except (ValueError, TypeError, KeyError, AttributeError):
            fields = []
        for field in fields:
            if isinstance(field, str) and FIELD.fullmatch(field):
                return f"400:{field}"
    return f"http_{answer.status_code}"


def _wait(answer: Answer) -> float | None:
    """Seconds until we may ask again, where a 429 says so: in itself, or as the time at which the limit is lifted."""
    if answer.status_code != 429:
        return None
    after, reset = answer.headers.get("Retry-After", ""), answer.headers.get("X-RateLimit-Reset", "")
    if after.isascii() and after.isdigit():
        return min(float(after), LONGEST_WAIT)
    if not (reset.isascii() and reset.isdigit()):
        return None
    try:
        now = parsedate_to_datetime(answer.headers.get("Date", "")).replace(tzinfo=UTC).timestamp()  # HTTP dates are in GMT.
    except ValueError:
        now = time.time()
    return min(max(float(reset) - now, 0.0), LONGEST_WAIT)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _standing(message: dict[str, Any], token: UUID | None) -> Standing:
    """Raises Unreachable for what is no entry: it proves nothing."""
    try:
        at = datetime.fromisoformat(message["last_event_time"])
        return Standing(
            provider_id=sendgrid_events.message_id(message["msg_id"]),
            status=str(message["status"]),
            state=STANDINGS.get(message["status"], "accepted"),
            code=None,
            to=str(message["to_email"]),
            text="",
            created_at=at if at.tzinfo else at.replace(tzinfo=UTC),
            token=token,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreachable(type(error).__name__) from None
