"""A request to send a text, judged as Twilio judges it: a clean `Draft`, or a `Refusal` with Twilio's code."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from outreach.sandbox import segments
from outreach.sandbox.errors import Refusal

LONGEST_BODY = 1600
LONGEST_VALIDITY = 36_000
NORTH_AMERICAN = re.compile(r"\+1[2-9]\d{2}[2-9]\d{6}")
INTERNATIONAL = re.compile(r"\+(?!1)[1-9]\d{6,14}")
SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
ALPHANUMERIC_SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")
PUNCTUATION = re.compile(r"[\s().\-]")

# The numbers with which Twilio's own test credentials provoke a refusal:
# https://www.twilio.com/docs/iam/test-credentials
TEST_RECIPIENTS = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
TEST_SENDERS = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}


@dataclass(frozen=True)
class Draft:
    """What a valid request asks for. `send_at` is set for a scheduled text, as seconds since 1970, UTC."""

    to: str
    from_: str | None
    service: str | None
    original: str
    body: str
    segments: int
    callback: str | None
    validity: int | None
    send_at: float | None


def phone(value: str) -> str | None:
    """E.164, or None. As with Twilio, usual punctuation is forgiven and ten digits alone are North American."""
    bare = PUNCTUATION.sub("", value)
    if bare.isascii() and bare.isdigit():
        bare = f"+1{bare}" if len(bare) == 10 else f"+{bare}"
    return bare if NORTH_AMERICAN.fullmatch(bare) or INTERNATIONAL.fullmatch(bare) else None


def draft(form: dict[str, str]) -> Draft:
    """Raises Refusal. Whether the account owns the sender and the phone has opted out is judged by the caller."""
    to = _recipient(form)
    from_, service = _sender(form)
    if to == from_:
        raise Refusal(21266, to=to)
    original = form.get("Body", "")
    if not original and not form.get("MediaUrl") and not form.get("ContentSid"):
        raise Refusal(21602)
    body = segments.smart_encoded(original) if form.get("SmartEncoded") == "true" else original
    if len(body) > LONGEST_BODY:
        raise Refusal(21617)
    return Draft(
        to=to,
        from_=from_,
        service=service,
        original=original,
        body=body,
        segments=segments.count(body),
        callback=_callback(form),
        validity=_validity(form),
        send_at=_send_at(form, service),
    )


def _recipient(form: dict[str, str]) -> str:
    given = form.get("To", "")
    if not given:
        raise Refusal(21604)
    if given in TEST_RECIPIENTS:
        raise Refusal(TEST_RECIPIENTS[given], to=given)
    to = phone(given)
    if to is None:
        raise Refusal(21211, to=given)
    return to


def _sender(form: dict[str, str]) -> tuple[str | None, str | None]:
    service = form.get("MessagingServiceSid") or None
    given = form.get("From", "")
    if service:
        if not SERVICE.fullmatch(service):
            raise Refusal(20001)
        return None, service
    if not given:
        raise Refusal(21603)
    if given in TEST_SENDERS:
        raise Refusal(TEST_SENDERS[given], from_=given)
    sender = phone(given)
    if sender is None and given.isdigit() and len(given) in {5, 6}:
        sender = given
    if sender is None and ALPHANUMERIC_SENDER.fullmatch(given) and not given.startswith("+"):
        sender = given
    if sender is None:
        raise Refusal(21212, from_=given)
    return sender, None


def _callback(form: dict[str, str]) -> str | None:
    callback = form.get("StatusCallback") or None
    if callback is not None:
        parts = urlsplit(callback)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Refusal(21609, callback=callback)
    return callback


def _validity(form: dict[str, str]) -> int | None:
    given = form.get("ValidityPeriod")
    if not given:
        return None
    if not given.isdigit() or not 1 <= int(given) <= LONGEST_VALIDITY:
        raise Refusal(20001)
    return int(given)


def _send_at(form: dict[str, str], service: str | None) -> float | None:
    if form.get("ScheduleType") != "fixed":
        return None
    try:
        at = datetime.fromisoformat(form.get("SendAt", ""))
    except ValueError as error:
        raise Refusal(20001) from error
    if service is None:  # Only a Messaging Service can schedule.
        raise Refusal(20001)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
