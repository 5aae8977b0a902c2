"""What SendGrid finds wrong with a request to send a mail, in its own words.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors and
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations
"""

import json
import re
from dataclasses import dataclass
from typing import Any

HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message."
ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\"]+@[^\s@,;:<>()\[\]\"]+\.[^\s@,;:<>()\[\]\".]{2,}")
# https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send (headers)
RESERVED = frozenset(
    {
        "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from", "subject",
        "reply-to", "cc", "bcc",
    }
)  # fmt: skip
MOST_PERSONALIZATIONS = 1000
LONGEST_ARGUMENTS = 10_000
SWITCHES = ("click_tracking", "open_tracking", "subscription_tracking", "ganalytics")


class Refused(Exception):
    """A request that SendGrid would refuse, with the field it would name."""

    def __init__(self, message: str, field: str | None = None, *, status: int = 400) -> None:
        self.status = status
        help_ = HELP + re.sub(r"\.\d+", "", field) if field else None
        self.body = json.dumps({"errors": [{"message": message, "field": field, "help": help_}]})
        super().__init__(field or str(status))


@dataclass(frozen=True)
class Recipient:
    """One mailbox that a request is for, with the arguments of its own."""

    address: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Draft:
    """A request that may be accepted."""

    from_: str
    subject: str
    text: str
    recipients: tuple[Recipient, ...]


def draft(raw: bytes) -> Draft:
    """Raises Refused."""
    try:
        request = json.loads(raw)
    except ValueError:
        request = None
    if not isinstance(request, dict):
        raise Refused("Bad Request")
    from_ = _address(
        request.get("from"), "from.email", "The from object must be provided for every email send. It requires the email parameter."
    )
    recipients = _recipients(request)
    subject = request.get("subject")
    if not isinstance(subject, str) or not subject:
        raise Refused(
            "The subject is required. You can get around this requirement if you use a template with a subject defined"
            " or if every personalization has a subject defined.",
            "subject",
        )
    text = _content(request.get("content"))
    if request.get("reply_to") is not None:
        _address(request["reply_to"], "reply_to.email", "The reply_to object requires the email parameter.")
    for name in request.get("headers") or {}:
        if str(name).casefold() in RESERVED:
            raise Refused(f"The header {name} is reserved and can not be used.", f"headers.{str(name).lower()}")
    tracking = request.get("tracking_settings") or {}
    for name in SWITCHES:
        if name in tracking and not isinstance(tracking[name].get("enable"), bool):
            raise Refused("The enable parameter is required and must be a boolean.", f"tracking_settings.{name}.enable")
    return Draft(from_, subject, text, tuple(recipients))


def _recipients(request: dict[str, Any]) -> list[Recipient]:
    people = request.get("personalizations")
    if not isinstance(people, list) or not people:
        raise Refused("The personalizations field is required and must have at least one personalization.", "personalizations")
    if len(people) > MOST_PERSONALIZATIONS:
        raise Refused("There is a limit of 1000 personalizations per API request.", "personalizations")
    found: list[Recipient] = []
    for place, person in enumerate(people):
        field = f"personalizations.{place}.to"
        to = person.get("to") if isinstance(person, dict) else None
        if not isinstance(to, list) or not to:
            raise Refused(
                "The to array is required for all personalization objects, and must have at least one email object.", field
            )
        addresses = [_address(one, f"{field}.{number}.email", "The email parameter is required.") for number, one in enumerate(to)]
        if len({address.casefold() for address in addresses}) < len(addresses):
            raise Refused("Each email address in the personalization block should be unique between to, cc, and bcc.", field)
        arguments = (request.get("custom_args") or {}) | (person.get("custom_args") or {})
        if len(json.dumps(arguments)) > LONGEST_ARGUMENTS:
            raise Refused("The custom_args may not exceed 10,000 bytes.", f"personalizations.{place}.custom_args")
        found += [Recipient(address, arguments) for address in addresses]
    return found


def _content(content: object) -> str:
    if not isinstance(content, list) or not content:
        raise Refused(
            "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined"
            " content block.",
            "content",
        )
    kinds = [block.get("type") if isinstance(block, dict) else None for block in content]
    if "text/plain" in kinds[1:]:
        raise Refused("If present, text/plain content must be the first block.", "content")
    for place, block in enumerate(content):
        if not isinstance(block.get("value"), str) or not block["value"]:
            raise Refused("The content value must be a string at least one character in length.", f"content.{place}.value")
    return str(content[0]["value"])


def _address(value: object, field: str, missing: str) -> str:
    address = value.get("email") if isinstance(value, dict) else None
    if not isinstance(address, str) or not address:
        raise Refused(missing, field)
    if not ADDRESS.fullmatch(address):
        raise Refused("Does not contain a valid address.", field)
    return address
