"""SendGrid's Event Webhook: what a signed batch says of our mails.

Sources: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from outreach.providers.contract import Forged, Malformed, Objected, Objection, Report

log = structlog.get_logger()

ARGUMENT = "token"
"""The one custom argument of a mail, under which each event brings our token back. No field of SendGrid's own has this name."""

OBJECTIONS = {
    "spamreport": Objection.SPAM_REPORT,
    "unsubscribe": Objection.UNSUBSCRIBED,
    "group_unsubscribe": Objection.UNSUBSCRIBED,
}
STATES = {"processed": "accepted", "deferred": "accepted", "delivered": "delivered"}
# Tracking is off in each mail; if one of these comes, somebody has switched it on for the account against it.
WATCHING = frozenset({"open", "click"})
IGNORED = WATCHING | {"group_resubscribe"}

STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
EVENT_ID = re.compile(r"[\w=+/.-]{1,200}", re.ASCII)


class BadKey(ValueError):
    """A public key of the Event Webhook is not base64 DER of a P-256 key, as SendGrid shows it."""


def public_keys(keys: Sequence[str]) -> list[ec.EllipticCurvePublicKey]:
    """Raises BadKey."""
    read: list[ec.EllipticCurvePublicKey] = []
    for key in keys:
        try:
            public = load_der_public_key(base64.b64decode(key, validate=True))
        except ValueError:
            raise BadKey from None
        if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
            raise BadKey
        read.append(public)
    return read


def verify(keys: Sequence[ec.EllipticCurvePublicKey], body: bytes, signature: str | None, timestamp: str | None) -> None:
    """Raises Forged unless one of the keys has signed the timestamp and the body as it came."""
    try:
        signed = base64.b64decode(signature or "", validate=True)
        payload = (timestamp or "").encode("ascii") + body
    except ValueError:
        raise Forged from None
    if not signed or not timestamp:
        raise Forged
    for key in keys:
        try:
            key.verify(signed, payload, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        return
    raise Forged


def read(body: bytes) -> list[Report | Objected]:
    """What concerns us in a batch, in its order; the rest is counted in a log line. Raises Malformed if it is no batch at all."""
    try:
        events = json.loads(body)
    except ValueError:
        raise Malformed("the body is not JSON") from None
    if not isinstance(events, list):
        raise Malformed("the body is not a list of events")
    found: list[Report | Objected] = []
    skipped: Counter[str] = Counter()
    for event in events:
        token = _token(event)
        if token is None:
            skipped["foreign"] += 1  # Others may send through the same account.
            continue
        kind = str(event.get("event"))
        if kind in OBJECTIONS:
            found.append(Objected(token, OBJECTIONS[kind]))
        elif (report := _report(token, kind, event)) is not None:
            found.append(report)
        else:
            skipped[kind if kind in IGNORED else "unknown"] += 1
    if WATCHING & skipped.keys():
        log.error("sendgrid.tracking_is_on", opens=skipped["open"], clicks=skipped["click"])
    if skipped:
        log.info("sendgrid.events_skipped", foreign=skipped["foreign"], unknown=skipped["unknown"], of=len(events))
    return found


def message_id(text: str) -> str:
    """The id that the sender was given: what stands before the first dot of the id in events and in the Email Activity."""
    return text.partition(".")[0]


def _token(event: object) -> UUID | None:
    value = event.get(ARGUMENT) if isinstance(event, dict) else None
    if not isinstance(value, str) or len(value) != 36:
        return None
    try:
        return UUID(value)
    except ValueError:
        return None


def _report(token: UUID, kind: str, event: dict[str, Any]) -> Report | None:
    status, code = kind, None
    if kind in STATES:
        state = STATES[kind]
    elif kind == "bounce":
        # https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event: only of type "bounce" is it for good.
        blocked = event.get("type") != "bounce"
        status = "blocked" if blocked else "bounce"
        state = "undelivered" if blocked else "returned"
        code = f"{status}:{_status(event)}"
    elif kind == "dropped":
        state, code = "failed", f"dropped:{_reason(event)}"
    else:
        return None
    return Report(_key(event), token, _provider_id(event), status, state, code)


def _status(event: dict[str, Any]) -> str:
    """The enhanced status (RFC 3463). It is missing where no server was ever spoken to."""
    status = event.get("status")
    return status if isinstance(status, str) and STATUS.fullmatch(status) else "unknown"


REASONS = (
    ("bounced address", "bounced_address"),
    ("spam reporting address", "spam_reporting_address"),
    ("group unsubscribe", "group_unsubscribe"),
    ("unsubscribed address", "unsubscribed_address"),
    ("invalid smtpapi header", "invalid_smtpapi_header"),
    ("spam content", "spam_content"),
    ("invalid", "invalid"),
)
"""How a reason begins, and what we call it. The reason itself may hold an address, so it goes no further."""


def _reason(event: dict[str, Any]) -> str:
    reason = str(event.get("reason", "")).casefold().strip()
    return next((name for beginning, name in REASONS if reason.startswith(beginning)), "unknown")


def _key(event: dict[str, Any]) -> str:
    given = event.get("sg_event_id")
    if isinstance(given, str) and EVENT_ID.fullmatch(given):
        return given
    return "sha256:" + hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()


def _provider_id(event: dict[str, Any]) -> str:
    """Empty where the event has none, as that of a bounce which came long after."""
    given = event.get("sg_message_id")
    return message_id(given)[:100] if isinstance(given, str) else ""
