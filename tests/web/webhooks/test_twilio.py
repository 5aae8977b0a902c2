"""Twilio's callbacks over real HTTP: believed by signature only, never an error of ours, and never believed twice."""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from twilio.request_validator import RequestValidator

from outreach import jobs
from outreach.providers.twilio import KNOWN_FIELDS, OVERRIDES
from tests.stage import ACCOUNT, TOKEN, Stage, phone, raised, swept

SID = f"SM{'0' * 31}1"
PATHS = {"status": "/webhooks/twilio/status/", "inbound": "/webhooks/twilio/inbound"}


@pytest.fixture(scope="module")
def acted(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, _own_redis_url: str, engine: sa.Engine
) -> Iterator[tuple[Stage, UUID]]:
    """A stage on which one text was accepted and nothing reported; and that text's token. No test changes anything on it."""
    folder: Path = tmp_path_factory.mktemp("stage")
    with swept(engine), raised(folder, database_url, _own_redis_url, engine) as stage:
        stage.cast(1)
        stage.plan()
        stage.control.set(paused=True)
        stage.dispatch()
        yield stage, stage.scalar("select id from attempt")


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


FORMS = {"status": report(), "inbound": text()}
MALICE: list[tuple[str, str, dict[str, Any], set[int]]] = [
    ("no signature", "both", {"headers": {}}, {403}),
    ("an empty signature", "both", {"headers": {"X-Twilio-Signature": ""}}, {403}),
    ("a signature of nonsense", "both", {"headers": {"X-Twilio-Signature": "nonsense"}}, {403}),
    ("a signature in no known encoding", "both", {"headers": {"X-Twilio-Signature": "\xff\xfe"}}, {403}),
    ("another account's signature", "both", {"sign": "another token"}, {403}),
    ("another account", "both", {"form": {"AccountSid": "AC" + "0" * 32}}, {403}),
    ("no account", "both", {"form": {"AccountSid": None}}, {403}),
    ("a field Twilio does not send", "both", {"form": {"Evil": "1"}}, {403}),
    ("a field changed after signing", "both", {"send": {"MessageSid": f"SM{'0' * 31}2"}}, {403}),
    ("a field twice", "both", {"suffix": b"&MessageSid=" + SID.encode()}, {403}),
    ("no sid", "both", {"form": {"MessageSid": None}}, {400}),
    ("a sid that is none", "both", {"form": {"MessageSid": "x' or 1=1"}}, {400}),
    ("a sid with a NUL", "both", {"form": {"MessageSid": "SM\x00"}}, {400}),
    ("a sid without end", "both", {"form": {"MessageSid": "SM" + "0" * 5000}}, {400}),
    ("no status", "status", {"form": {"MessageStatus": None}}, {400}),
    ("a status that is none", "status", {"form": {"MessageStatus": "arrived"}}, {400}),
    ("a status with a NUL", "status", {"form": {"MessageStatus": "sent\x00"}}, {400}),
    ("an error code that is none", "status", {"form": {"ErrorCode": "30003\x00"}}, {400}),
    ("no sender", "inbound", {"form": {"From": None}}, {400}),
    ("a sender without end", "inbound", {"form": {"From": "+" + "1" * 500}}, {400}),
    ("no text", "inbound", {"form": {"Body": None}}, {400}),
    ("one megabyte", "both", {"form": {"Body": "x" * 1_000_000}}, {413}),
    ("bytes that are no UTF-8", "both", {"raw": b"AccountSid=\xff\xfe&MessageSid=%ff%fe&Body=%ff"}, {403}),
    ("JSON", "both", {"raw": b'{"MessageSid": "SM1"}', "headers": {"Content-Type": "application/json"}}, {403}),
    ("signed JSON", "both", {"raw": b'{"MessageSid": "SM1"}', "type": "application/json"}, {403}),
    ("a file", "both", {"raw": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, {403}),
    ("nothing at all", "both", {"raw": b""}, {403}),
    ("GET", "both", {"method": "GET"}, {405}),
    ("PUT", "both", {"method": "PUT"}, {405}),
    ("another host", "both", {"headers": {"Host": "elsewhere.example.org"}, "keep": True}, {400}),
]  # fmt: skip


CALLS = [
    pytest.param(door, case, statuses, id=f"{door}: {name}")
    for name, doors, case, statuses in MALICE
    for door in PATHS
    if doors in ("both", door)
]


@pytest.mark.parametrize(("door", "case", "statuses"), CALLS)
def test_a_forged_malformed_or_oversized_callback_is_refused_and_changes_nothing(
    acted: tuple[Stage, UUID], door: str, case: dict[str, Any], statuses: set[int]
) -> None:
    stage, token = acted
    path = PATHS[door] + (str(token) if door == "status" else "")
    form = {key: value for key, value in (FORMS[door] | case.get("form", {})).items() if value is not None}
    body = case.get("raw", urlencode(form | case.get("send", {})).encode() + case.get("suffix", b""))
    headers = case.get("headers", {})
    if "headers" not in case or case.get("keep"):
        headers = headers | signed(stage, path, form if "raw" not in case else {}, case.get("sign", TOKEN))
    if "type" in case:
        headers["Content-Type"] = case["type"]
    before = everything(stage)
    answer = call(stage, path, body, headers, case.get("method", "POST"))
    assert answer.status in statuses
    assert everything(stage) == before


@pytest.mark.parametrize("token", ["not-a-uuid", "00000000", "../../status", "%00"])
def test_an_address_that_names_no_attempt_in_form_is_not_found(acted: tuple[Stage, UUID], token: str) -> None:
    stage, _ = acted
    path = PATHS["status"] + token
    assert call(stage, path, urlencode(report()).encode(), signed(stage, path, report())).status == 404


def test_every_field_that_twilio_documents_is_let_through(stage: Stage) -> None:
    path = PATHS["inbound"]
    form = dict.fromkeys(sorted(KNOWN_FIELDS), "x") | text(Body="hello", From="+12025550177")
    assert call(stage, path, urlencode(form).encode(), signed(stage, path, form)).status == 200
    assert stage.scalar("select count(*) from reply") == 1


def test_a_genuine_report_is_kept_once_however_often_it_is_replayed(stage: Stage) -> None:
    token = sent_one(stage)
    path, form = f"{PATHS['status']}{token}", report(MessageSid=stage.scalar("select provider_id from attempt"))
    headers = signed(stage, path, form)
    assert call(stage, path, urlencode(form).encode(), headers).status == 204
    jobs.apply_due(stage.machine)
    assert stage.states() == {"delivered": 1}
    before = everything(stage)
    for _ in range(3):
        assert call(stage, path, urlencode(form).encode(), headers).status == 204
    assert everything(stage) == before


def test_a_genuine_text_replayed_is_obeyed_once_and_does_not_undo_what_came_after_it(stage: Stage) -> None:
    sent_one(stage)
    path, form = PATHS["inbound"], text(Body="STOP")
    headers = signed(stage, path, form)
    assert call(stage, path, urlencode(form).encode(), headers).status == 200
    assert stage.contact(0).state == "opted_out"
    start = text(Body="START", MessageSid=f"SM{'0' * 31}2")
    call(stage, path, urlencode(start).encode(), signed(stage, path, start))
    before = everything(stage)
    assert call(stage, path, urlencode(form).encode(), headers).status == 200
    assert stage.contact(0).state == "usable"
    assert everything(stage) == before


def test_a_report_signed_with_or_without_the_overrides_or_by_the_previous_token_is_believed(stage: Stage) -> None:
    token = sent_one(stage)
    path, form = f"{PATHS['status']}{token}", report(MessageSid=stage.scalar("select provider_id from attempt"))
    signature = RequestValidator(TOKEN).compute_signature(stage.web_url + path + OVERRIDES, form)
    assert call(stage, path, urlencode(form).encode(), {"X-Twilio-Signature": signature}).status == 204


@pytest.mark.parametrize("stage", [{"twilio_auth_token_previous": "the token before"}], indirect=True)
def test_while_the_token_is_changed_both_are_believed(stage: Stage) -> None:
    token = sent_one(stage)
    path = f"{PATHS['status']}{token}"
    for status, key in (("sent", "the token before"), ("delivered", TOKEN)):
        form = report(MessageStatus=status, MessageSid=stage.scalar("select provider_id from attempt"))
        assert call(stage, path, urlencode(form).encode(), signed(stage, path, form, key)).status == 204
    assert stage.scalar("select count(*) from event") == 2


def test_a_report_for_an_attempt_nobody_knows_is_kept_and_marked(stage: Stage) -> None:
    path, form = f"{PATHS['status']}{uuid4()}", report()
    assert call(stage, path, urlencode(form).encode(), signed(stage, path, form)).status == 204
    jobs.apply_due(stage.machine)
    assert stage.scalar("select problem from event") == "no_attempt"


def sent_one(stage: Stage) -> UUID:
    """Send one text that is not reported on; its token."""
    stage.cast(1)
    stage.plan()
    stage.control.set(paused=True)
    stage.dispatch()
    token = stage.scalar("select id from attempt")
    assert isinstance(token, UUID)
    return token
