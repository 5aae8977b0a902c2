"""SendGrid's callbacks over real HTTP: believed by signature or password, kept once, and obeyed before they are answered."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec

from outreach import jobs
from outreach.access.sealing import FileKeyRing, Vault
from outreach.delivery import mail_address
from outreach.delivery.mail_address import Purpose
from outreach.sandbox.mail_events import signed
from outreach.sandbox.mail_key import private_key
from outreach.web.webhooks.sendgrid import EVENTS_BYTES
from tests.stage import TOKEN, Stage, mailbox, raised, swept
from tests.web.webhooks.calls import Answer, call, everything

EVENTS, INBOUND = "/webhooks/sendgrid/events", "/webhooks/sendgrid/inbound"
BOUNDARY = "sample-boundary"


def mailed_one(stage: Stage) -> UUID:
    """Send one mail that is not reported on; its token."""
    stage.cast_mail([mailbox(0)])
    stage.plan()
    stage.control.set(paused=True)
    stage.dispatch_mail()
    token = stage.scalar("select id from attempt")
    assert isinstance(token, UUID)
    return token


def event(stage: Stage, token: UUID | None, name: str = "delivered", **fields: object) -> dict[str, object]:
    number = stage.scalar("select provider_id from attempt where id = :id", id=token)
    facts = {
        "event": name,
        "token": str(token),
        "sg_event_id": f"{name}-{token}",
        "sg_message_id": f"{number}.filter",
        "timestamp": 1,
    }
    return {key: value for key, value in (facts | fields).items() if value is not None}


def post_events(stage: Stage, body: bytes, key: ec.EllipticCurvePrivateKey | None = None, **headers: str) -> Answer:
    """A batch, signed with SendGrid's key unless another is given."""
    key = key or private_key(stage.carrier.config.webhook_key)
    return call(stage, EVENTS, body, signed(key, body, time.time()) | headers)


def batch(*events: object) -> bytes:
    return json.dumps(events).encode()


def form(fields: dict[str, str], files: tuple[tuple[str, str, bytes], ...] = ()) -> bytes:
    """A multipart form. `files` are names, media types and contents."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts += [
        f'Content-Disposition: form-data; name="attachment{n}"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'.encode()
        + content
        for n, (name, kind, content) in enumerate(files, start=1)
    ]
    return b"".join(f"--{BOUNDARY}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def vault(stage: Stage) -> Vault:
    return Vault(FileKeyRing(stage.settings.key_ring))


def answer(stage: Stage, token: UUID, text: str, message_id: str = "<one@example.org>") -> dict[str, str]:
    """An answer to a mail, as Inbound Parse takes it apart."""
    to = f"{mail_address.sign(vault(stage), Purpose.REPLY, token)}@{stage.settings.mail_reply_domain}"
    headers = f"From: {mailbox(0)}\nTo: {to}\nSubject: Re: a message\nMessage-ID: {message_id}\n"
    return {"headers": headers, "text": text, "envelope": json.dumps({"to": [to], "from": mailbox(0)})}


def post_mail(stage: Stage, body: bytes, password: str = TOKEN) -> Answer:
    credentials = base64.b64encode(f"sendgrid:{password}".encode()).decode()
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    return call(stage, INBOUND, body, {"Content-Type": content_type, "Authorization": f"Basic {credentials}"})


def test_a_batch_of_a_thousand_is_kept_in_one_call_and_once_however_often_it_comes(stage: Stage) -> None:
    token = mailed_one(stage)
    others = [event(stage, uuid4(), "processed") for _ in range(998)]
    body = batch(event(stage, token), *others, event(stage, token, "processed"))
    for _ in range(2):
        assert post_events(stage, body).status == 204
    assert stage.scalar("select count(*) from event") == 1000
    jobs.apply_due(stage.machine)
    assert stage.outcomes() == {"reached": 1}


def test_an_objection_is_obeyed_before_the_call_is_answered(stage: Stage) -> None:
    token = mailed_one(stage)
    assert post_events(stage, batch(event(stage, token, "spamreport"), event(stage, token))).status == 204
    contact = stage.mailbox(mailbox(0))
    assert (contact.state, contact.state_reason) == ("opted_out", "sendgrid:spam_report")
    assert stage.scalar("select detail->>'state' from audit_entry where action = 'contact.close'") == "opted_out"
    post_events(stage, batch(event(stage, token, "unsubscribe")))
    assert stage.mailbox(mailbox(0)).state_reason == "sendgrid:spam_report", "the first reason stays"


def test_a_report_that_cannot_be_kept_takes_the_objections_with_it_and_is_asked_for_again(stage: Stage) -> None:
    token = mailed_one(stage)
    body = batch(event(stage, token, "spamreport"), event(stage, token))
    stage.execute("alter table event add constraint no_more check (state <> 'delivered')")
    try:
        assert post_events(stage, body).status >= 500
        assert stage.mailbox(mailbox(0)).state == "usable"
    finally:
        stage.execute("alter table event drop constraint no_more")
    assert post_events(stage, body).status == 204
    assert stage.mailbox(mailbox(0)).state == "opted_out"


def test_a_bounce_without_sendgrids_own_id_is_known_by_our_token(stage: Stage) -> None:
    token = mailed_one(stage)
    bounce = event(stage, token, "bounce", sg_message_id=None, type="bounce", status="5.1.1")
    assert post_events(stage, batch(bounce)).status == 204
    jobs.apply_due(stage.machine)
    assert stage.outcomes() == {"exhausted:bad_contact": 1}
    assert stage.scalar("select provider_id from attempt"), "and ours is not forgotten"


def test_an_answer_is_kept_with_its_attachments_and_obeyed_once(stage: Stage) -> None:
    token = mailed_one(stage)
    body = form(answer(stage, token, "1"), (("a.png", "image/png", b"\x89PNG\r\n\x00"),))
    for _ in range(2):
        assert post_mail(stage, body).status == 204
    assert stage.outcomes() == {"told": 1}
    assert stage.scalar("select count(*) from reply") == 1
    assert stage.scalar("select size from reply_attachment") == 7


@pytest.fixture(scope="module")
def acted(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, _own_redis_url: str, engine: sa.Engine
) -> Iterator[tuple[Stage, UUID]]:
    """A stage on which one mail was accepted and nothing reported; and its token. No test changes anything on it."""
    folder: Path = tmp_path_factory.mktemp("stage")
    with swept(engine), raised(folder, database_url, _own_redis_url, engine) as stage:
        yield stage, mailed_one(stage)


FORGED: dict[str, dict[str, Any]] = {
    "another key": {"key": ec.generate_private_key(ec.SECP256R1())},
    "no signature": {"X-Twilio-Email-Event-Webhook-Signature": ""},
    "a signature of nonsense": {"X-Twilio-Email-Event-Webhook-Signature": "nonsense"},
    "another time": {"X-Twilio-Email-Event-Webhook-Timestamp": "1"},
    "no time": {"X-Twilio-Email-Event-Webhook-Timestamp": ""},
}


@pytest.mark.parametrize("how", FORGED)
def test_events_that_sendgrid_did_not_sign_are_refused_and_change_nothing(acted: tuple[Stage, UUID], how: str) -> None:
    stage, token = acted
    before = everything(stage)
    assert post_events(stage, batch(event(stage, token, "spamreport"), event(stage, token)), **FORGED[how]).status == 403
    assert everything(stage) == before


def test_events_changed_after_signing_are_refused(acted: tuple[Stage, UUID]) -> None:
    stage, token = acted
    before, body = everything(stage), batch(event(stage, token))
    headers = signed(private_key(stage.carrier.config.webhook_key), body, time.time())
    assert call(stage, EVENTS, body.replace(b"delivered", b"dropped"), headers).status == 403
    assert everything(stage) == before


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"{}", 400), (b"[", 400), (b"\xff", 400), (b"[1, null, {}]", 204)])
def test_signed_events_that_make_no_sense_are_refused_and_foreign_ones_passed_over(
    acted: tuple[Stage, UUID], body: bytes, status: int
) -> None:
    stage, _ = acted
    before = everything(stage)
    assert post_events(stage, body).status == status
    assert everything(stage) == before


@pytest.mark.parametrize("password", ["", "another", TOKEN + "x"])
def test_an_answer_without_the_password_is_refused_and_changes_nothing(acted: tuple[Stage, UUID], password: str) -> None:
    stage, token = acted
    before = everything(stage)
    assert post_mail(stage, form(answer(stage, token, "STOP")), password).status == 403
    assert everything(stage) == before


@pytest.mark.parametrize("body", [b"", b"--x", form({}), form({"dkim": "pass"}), form(dict.fromkeys("abc", "x"))[:-20]])
def test_a_form_with_no_mail_in_it_is_refused(acted: tuple[Stage, UUID], body: bytes) -> None:
    stage, _ = acted
    before = everything(stage)
    assert post_mail(stage, body).status == 400
    assert everything(stage) == before


def test_a_batch_beyond_all_measure_is_refused(acted: tuple[Stage, UUID]) -> None:
    stage, _ = acted
    assert post_events(stage, b"[" + b" " * EVENTS_BYTES + b"]").status == 413


@pytest.mark.parametrize("path", [EVENTS, INBOUND])
def test_only_posts_are_taken(acted: tuple[Stage, UUID], path: str) -> None:
    stage, _ = acted
    assert call(stage, path, b"", method="GET").status == 405
