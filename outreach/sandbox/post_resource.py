"""A letter, an event about it and an error, as JSON of the shape PostGrid gives.

The letter and the event: the types of the `postgrid-python` package. The error: https://postgrid.readme.io/docs/errors
"""

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import jwt

from outreach.sandbox.post_books import Letter

SHOWN = ("addressPlacement", "envelope", "mailingClass", "returnEnvelope", "size")


class Refused(Exception):
    """A request that PostGrid would answer with an error. `kind` is the error's type."""

    def __init__(self, http_status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.http_status, self.kind, self.message = http_status, kind, message

    def body(self) -> dict[str, Any]:
        return {"object": "error", "error": {"type": self.kind, "message": self.message}}


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def resource(letter: Letter) -> dict[str, Any]:
    fields = json.loads(letter.fields)
    shown = {name: fields[name] for name in SHOWN if name in fields}
    if letter.status == "cancelled":
        shown["cancellation"] = {"reason": letter.reason or "user_initiated"}
    if letter.scan:
        shown |= {"imbStatus": letter.scan, "imbDate": iso(letter.updated), "imbZIPCode": "62701"}
    return {
        "id": letter.id,
        "object": "letter",
        "live": False,
        "color": fields.get("color") == "true",
        "description": letter.description,
        "doubleSided": fields.get("doubleSided") == "true",
        "from": _contact(fields["from"], letter.created),
        "mailingClass": "first_class",
        "metadata": json.loads(letter.metadata),
        "sendDate": iso(letter.created),
        "status": letter.status,
        "to": _contact(fields["to"], letter.created),
        "createdAt": iso(letter.created),
        "updatedAt": iso(letter.updated),
    } | shown


def _contact(given: dict[str, Any], at: float) -> dict[str, Any]:
    """A secret contact keeps its details from everybody but the printer."""
    identity = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:22]
    known = {"id": f"contact_{identity}", "object": "contact", "live": False, "addressStatus": "verified"}
    times = {"createdAt": iso(at), "updatedAt": iso(at)}
    if given.get("secret") == "true":
        return known | times | {"secret": True}
    return known | times | given | {"secret": False}


def event(letter: Letter, word: str) -> dict[str, Any]:
    """What is posted when a letter takes a status. The same for each attempt to tell it."""
    identity = hashlib.sha256(f"{letter.id}:{word}".encode()).hexdigest()[:22]
    kind = "letter.created" if word == "ready" else "letter.updated"
    facts = {"id": f"event_{identity}", "object": "event", "live": False, "type": kind, "data": resource(letter)}
    return facts | {"createdAt": iso(letter.updated), "updatedAt": iso(letter.updated)}


def signed(facts: dict[str, Any], secret: str, form: str) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a webhook. https://postgrid.readme.io/docs/manually-verifying-webhook-signatures"""
    if form == "jwt":
        return jwt.encode(facts | {"iat": int(time.time())}, secret, algorithm="HS256").encode(), {"Content-Type": "text/plain"}
    body = json.dumps(facts, separators=(",", ":")).encode()
    at = str(int(time.time() * 1000))
    digest = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "PostGrid-Signature": f"t={at},v1={digest}"}
