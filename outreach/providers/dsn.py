"""Delivery status notifications (RFC 3464): what a relay tells the envelope sender of a mail after it had accepted it.

They are not signed. What is believed is the address that they were sent to, or that of the mail they carry with them: ours, signed,
and known to nobody but the relays and the reader of that one mail. No other part of a notification is kept but its codes.
"""

import email
import functools
import re
import tomllib
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from uuid import UUID

from outreach.providers.contract import Refusal, Report
from outreach.providers.mime import message_id

LARGEST = 10 * 1024 * 1024  # bytes: a notification may carry the whole mail, and ours are small

# What a relay says it did, from what decides to what does not, and our state for it. https://www.rfc-editor.org/rfc/rfc3464#section-2.3.3
ACTIONS = {"failed": "returned", "delivered": "delivered", "relayed": "sent", "expanded": "sent", "delayed": "accepted"}

_SENT_TO = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")
_OF_THE_MAIL = ("Message-ID", "Return-Path", "X-Original-Message-ID")

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_THREE_DIGITS = re.compile(r"(?<![\d.])([45])\d\d(?![\d.])")
_HEXCHAR = re.compile(r"\+([0-9A-F]{2})")


def read(raw: bytes, token_of: Callable[[str], UUID | None], bounce_address: Callable[[UUID], str]) -> Report | None:
    """What a message reports of an attempt of ours; None where it is no notification, or is about none.

    `token_of` reads a signed envelope sender of ours wherever it stands in a text, and `bounce_address` makes it. Never raises for
    what a message is like.
    """
    if len(raw) > LARGEST:
        return None
    try:
        message = email.message_from_bytes(raw)
        status = _status_part(message)
        if status is None:
            return None
        about, recipients = status[0], status[1:]
        found = (token_of(text) for text in _places(message, about))
        token = next((one for one in found if one is not None), None)
        told = [(action, group) for group in recipients if (action := _word(group, "Action")) in ACTIONS]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # The standard library's parser documents no errors, and has some for messages that nobody wrote by hand.
        return None
    if token is None or not told:
        return None
    action, group = min(told, key=lambda one: list(ACTIONS).index(one[0]))
    code = None if action in ("delivered", "relayed", "expanded") else f"dsn:{_status(action, group)}"
    provider_id = message_id(bounce_address(token))
    return Report(f"{provider_id}:{action}:{code or ''}", token, provider_id, action, ACTIONS[action], code)


def refusal(code: str | None) -> Refusal:
    """What to do about the code of a notification. Unknown ones are for review."""
    return refusals().get(code or "", Refusal.REVIEW)


@functools.cache
def refusals() -> dict[str, Refusal]:
    """The codes of notifications, as "dsn:5.1.1", and what to do about each."""
    table = tomllib.loads(Path(__file__).with_name("dsn_codes.toml").read_text())
    return {f"dsn:{code}": Refusal(meaning) for meaning, entry in table.items() for code in entry["codes"]}


def _status_part(message: Message) -> list[Message] | None:
    """The groups of fields of the notification: about the message, then about each recipient. Not those of a mail it carries."""
    waiting = [message]
    while waiting:
        part = waiting.pop(0)
        content = part.get_payload()
        if part.get_content_type() == "message/delivery-status" and isinstance(content, list) and content:
            return [group for group in content if isinstance(group, Message)]
        if part.get_content_maintype() == "multipart" and isinstance(content, list):
            waiting += [inner for inner in content if isinstance(inner, Message)]
    return None


def _places(message: Message, about: Message) -> Iterator[str]:
    """Where a signed address of ours may stand, the surest first."""
    for name in _SENT_TO:
        yield from (str(value) for value in message.get_all(name, []))
    yield _HEXCHAR.sub(lambda match: chr(int(match[1], 16)), str(about.get("Original-Envelope-Id", "")))
    for part in message.walk():
        kind, content = part.get_content_type(), part.get_payload()
        if kind in ("text/rfc822-headers", "message/rfc822-headers") and isinstance(content, str):
            original = email.message_from_string(content)
        elif kind == "message/rfc822" and isinstance(content, list) and content and isinstance(content[0], Message):
            original = content[0]
        else:
            continue
        for name in _OF_THE_MAIL:
            yield from (str(value) for value in original.get_all(name, []))


def _word(group: Message, name: str) -> str:
    """A field's first word, without its comments."""
    words = re.sub(r"\([^()]*\)", " ", str(group.get(name, ""))).split()
    return words[0].casefold() if words else ""


def _status(action: str, group: Message) -> str:
    """The status, or where that says nothing (x.0.0) or is missing, the one that the other server's words tell."""
    stated = _STATUS.search(str(group.get("Status", "")))
    diagnostic = str(group.get("Diagnostic-Code", ""))
    spoken = _STATUS.search(diagnostic)
    if stated and (not stated[1].endswith(".0.0") or not spoken or spoken[1][0] != stated[1][0]):
        return stated[1]
    if spoken:
        return spoken[1]
    digits = _THREE_DIGITS.search(diagnostic)
    kind = digits[1] if digits else "4" if action == "delayed" else "5"
    return f"{kind}.0.0"
