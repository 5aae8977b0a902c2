"""Calls as Twilio makes them, and a look at everything they could change."""

import http.client
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa
from twilio.request_validator import RequestValidator

from outreach import jobs
from tests.stage import ACCOUNT, TOKEN, Stage, phone

SID = f"SM{'0' * 31}1"
PATHS = {"status": "/webhooks/twilio/status/", "inbound": "/webhooks/twilio/inbound"}


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


def call(stage: Stage, path: str, body: bytes, headers: dict[str, str] | None = None, method: str = "POST") -> Answer:
    parts = urlsplit(stage.web_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded"} | (headers or {}))
    answer = connection.getresponse()
    found = Answer(answer.status, answer.read())
    connection.close()
    return found


def signed(stage: Stage, path: str, form: dict[str, str], token: str = TOKEN) -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator(token).compute_signature(stage.web_url + path, form)}


def report(**fields: str) -> dict[str, str]:
    return {"AccountSid": ACCOUNT, "MessageSid": SID, "MessageStatus": "delivered"} | fields


def text(**fields: str) -> dict[str, str]:
    return {"AccountSid": ACCOUNT, "MessageSid": SID, "From": phone(0), "Body": "STOP"} | fields


def everything(stage: Stage) -> dict[str, list[Any]]:
    """Every row of every table that a callback could touch."""
    jobs.apply_due(stage.machine)
    tables = ("event", "attempt", "message", "outcome", "reply", "contact_point", "audit_entry", "data_key")
    with stage.sessions() as session:
        return {table: [tuple(row) for row in session.execute(sa.text(f"select * from {table} order by 1"))] for table in tables}


def sent_one(stage: Stage) -> UUID:
    """Send one text that is not reported on; its token."""
    stage.cast(1)
    stage.plan()
    stage.control.set(paused=True)
    stage.dispatch()
    token = stage.scalar("select id from attempt")
    assert isinstance(token, UUID)
    return token
