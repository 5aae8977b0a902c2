"""What SendGrid tells us: its events, signed and forged, and the answers to our mails."""

import base64
import json
import random
import time
from typing import Any

import pytest
import structlog

from outreach.providers.contract import (
    Attachment,
    Forged,
    InboundMail,
    Malformed,
    Objected,
    Objection,
    Report,
)
from outreach.providers.sendgrid_events import BadKey
from outreach.providers.sendgrid_inbound import read_form
from outreach.sandbox.mail_events import signed
from outreach.sandbox.mail_key import new_key, private_key, public_key
from tests.providers.test_sendgrid import PASSWORD, RECORDED, SIGNING, TOKEN, adapter


def read(events: object, key: Any = SIGNING, **changed: Any) -> list[Report | Objected]:
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    headers = signed(key, body, 1_700_000_000)
    signature, timestamp = (headers[f"X-Twilio-Email-Event-Webhook-{name}"] for name in ("Signature", "Timestamp"))
    return adapter("http://127.0.0.1:1", **changed).read_events(body, signature, timestamp)


EVENTS: list[dict[str, Any]] = json.loads((RECORDED / "sendgrid_events.json").read_text())


def test_recorded_events_are_read_whatever_their_order() -> None:
    with structlog.testing.capture_logs() as logs:
        found = read(EVENTS)
    reports = [each for each in found if isinstance(each, Report)]
    assert [(each.status, each.state, each.code) for each in reports] == [
        ("processed", "accepted", None),
        ("deferred", "accepted", None),
        ("delivered", "delivered", None),
        ("bounce", "returned", "bounce:5.0.0"),
        ("blocked", "undelivered", "blocked:unknown"),
        ("dropped", "failed", "dropped:bounced_address"),
    ]
    assert [each for each in found if isinstance(each, Objected)] == [
        Objected(TOKEN, Objection.SPAM_REPORT),
        Objected(TOKEN, Objection.UNSUBSCRIBED),
        Objected(TOKEN, Objection.UNSUBSCRIBED),
    ]
    assert {each.token for each in found} == {TOKEN}
    assert reports[0].provider_id == "14c5d75ce93"
    assert reports[0].key == EVENTS[0]["sg_event_id"]
    # Somebody else's mail is counted; an open means that tracking is on, which is an error of ours.
    assert {entry["event"]: entry.get("opens", entry.get("foreign")) for entry in logs} == {
        "sendgrid.tracking_is_on": 1,
        "sendgrid.events_skipped": 1,
    }
    shuffled = random.Random(1).sample(EVENTS, len(EVENTS))
    assert sorted(map(str, read(shuffled))) == sorted(map(str, found))


def test_a_repeated_event_has_the_same_key_and_another_one_another() -> None:
    without_id = {name: value for name, value in EVENTS[2].items() if name != "sg_event_id"}
    keys = [each.key for each in read([EVENTS[2], EVENTS[2], without_id, without_id, EVENTS[1]]) if isinstance(each, Report)]
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Bounced Address", "bounced_address"), ("Spam Reporting Address", "spam_reporting_address"), ("Invalid", "invalid"),
        ("Unsubscribed Address", "unsubscribed_address"), ("Spam Content (if spam checker app is enabled)", "spam_content"),
        ("Invalid SMTPAPI header", "invalid_smtpapi_header"), ("Recipient List over Package Quota", "unknown"), (None, "unknown"),
    ],
)  # fmt: skip
def test_a_drop_is_read_by_its_reason(reason: str | None, code: str) -> None:
    (report,) = read([EVENTS[5] | {"reason": reason}])
    assert isinstance(report, Report)
    assert report.code == f"dropped:{code}"


@pytest.mark.parametrize(
    ("fields", "status", "state", "code"),
    [
        ({"status": "5.1.1"}, "bounce", "returned", "bounce:5.1.1"),
        ({"status": ""}, "bounce", "returned", "bounce:unknown"),
        ({"status": "ana@example.org"}, "bounce", "returned", "bounce:unknown"),
        ({"type": "blocked", "status": "5.7.1"}, "blocked", "undelivered", "blocked:5.7.1"),
        ({"type": "something new"}, "blocked", "undelivered", "blocked:5.0.0"),
    ],
)
def test_only_a_bounce_of_type_bounce_is_for_good(fields: dict[str, str], status: str, state: str, code: str) -> None:
    (report,) = read([EVENTS[3] | fields])
    assert isinstance(report, Report)
    assert (report.status, report.state, report.code) == (status, state, code)


def test_a_bounce_long_after_has_no_id_of_the_mail_and_is_read_all_the_same() -> None:
    late = {name: value for name, value in EVENTS[3].items() if name != "sg_message_id"}
    (report,) = read([late])
    assert isinstance(report, Report)
    assert (report.token, report.provider_id, report.state) == (TOKEN, "", "returned")


@pytest.mark.parametrize("token", [None, "", "not-a-uuid", 7, "7c9e6679742540de944be07fc1f90ae7", ["x"]])
def test_an_event_without_our_token_is_nobodys(token: object) -> None:
    assert read([EVENTS[2] | {"token": token}, 7, None, "x"]) == []


def test_one_event_that_makes_no_sense_spoils_no_other() -> None:
    odd = [EVENTS[2] | {"event": None}, EVENTS[2] | {"event": ["x"]}, EVENTS[2] | {"event": "account_status_change"}]
    assert len(read([*odd, EVENTS[2]])) == 1


def test_a_batch_of_a_thousand_is_read_in_no_time() -> None:
    many = [EVENTS[number % 9] | {"sg_event_id": f"event-{number}"} for number in range(1000)]
    started = time.process_time()
    assert len(read(many)) == 1000
    assert time.process_time() - started < 0.5


def test_sendgrids_own_signed_example_is_genuine() -> None:
    example = json.loads((RECORDED / "sendgrid_webhook.json").read_text())
    mails = adapter("http://127.0.0.1:1", webhook_keys=(public_key(SIGNING), example["public_key"]))
    body = example["payload"].encode()
    assert mails.read_events(body, example["signature"], example["timestamp"]) == []  # It has no token of ours.
    for forged in (body + b" ", body.strip()):
        with pytest.raises(Forged):
            mails.read_events(forged, example["signature"], example["timestamp"])
    with pytest.raises(Forged):
        mails.read_events(body, example["signature"], "1600112503")


@pytest.mark.parametrize(
    ("signature", "timestamp"),
    [(None, "1"), ("", "1"), ("AAAA", "1"), ("no base64!", "1"), ("AAAA", None), ("AAAA", "ü"), ("ü", "1")],
)
def test_what_is_not_signed_is_forged(signature: str | None, timestamp: str | None) -> None:
    with pytest.raises(Forged):
        adapter("http://127.0.0.1:1").read_events(b"[]", signature, timestamp)


def test_either_key_will_do_while_one_is_changed_for_another_and_without_any_all_is_forged() -> None:
    other = private_key(new_key())
    both = (public_key(SIGNING), public_key(other))
    assert read([], other, webhook_keys=both) == read([], SIGNING, webhook_keys=both) == []
    for keys in ((public_key(SIGNING),), ()):
        with pytest.raises(Forged):
            read([], other, webhook_keys=keys)


@pytest.mark.parametrize("key", ["", "no key", "AAAA", base64.b64encode(b"x" * 91).decode()])
def test_a_key_that_is_none_is_refused_at_once(key: str) -> None:
    with pytest.raises(BadKey):
        adapter("http://127.0.0.1:1", webhook_keys=(key,))


@pytest.mark.parametrize("body", [b"", b"{}", b"nothing", b"7", b"\xff"])
def test_a_signed_body_that_is_no_batch_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)


HEADERS = "Received: by mx.example.net\nFrom: Ana <ana@example.org>\nMessage-ID: <m1@example.org>\nSubject: Re: A letter\n"
FORM = {
    "headers": HEADERS.encode(), "from": b"Ana <ana@example.org>", "subject": b"Re: A letter", "text": "Sí, la recibí".encode(),
    "envelope": b'{"to": ["r+bad@example.org", "r+good@reply.example.org"], "from": "ana@example.org"}',
    "charsets": b'{"text": "UTF-8"}',
}  # fmt: skip


def inbound(form: dict[str, bytes], files: dict[str, Attachment] | None = None, password: str = PASSWORD) -> InboundMail:
    given = "Basic " + base64.b64encode(f"any:{password}".encode()).decode()
    return adapter("http://127.0.0.1:1").read_inbound(form, files or {}, given)


def test_an_answer_belongs_to_the_attempt_that_its_envelope_names() -> None:
    answer = inbound(FORM)
    assert (answer.token, answer.sender, answer.text, answer.automatic) == (TOKEN, "ana@example.org", "Sí, la recibí", False)
    assert inbound(FORM | {"envelope": b'{"to": ["letters@example.org"]}'}).token is None
    assert inbound(FORM | {"envelope": b"broken"}).token is None


def test_the_same_answer_handed_over_again_has_the_same_id_and_another_one_another() -> None:
    assert inbound(FORM).provider_id == inbound(FORM | {"dkim": b"later"}).provider_id
    other = FORM | {"headers": HEADERS.replace("m1@", "m2@").encode()}
    assert inbound(FORM).provider_id != inbound(other).provider_id
    unnamed = FORM | {"headers": b"From: ana@example.org\n"}
    assert inbound(unnamed).provider_id == inbound(unnamed).provider_id
    assert inbound(unnamed).provider_id != inbound(unnamed | {"text": b"something else"}).provider_id


def test_each_field_is_read_in_its_own_charset() -> None:
    form = FORM | {"text": "Sí, mañana".encode("iso-8859-1"), "charsets": b'{"text": "iso-8859-1"}'}
    assert inbound(form).text == "Sí, mañana"
    arabic = FORM | {"text": "نعم".encode("windows-1256"), "charsets": b'{"text": "windows-1256"}'}
    assert inbound(arabic).text == "نعم"
    unknown = FORM | {"charsets": b'{"text": "no-such-charset"}'}
    assert inbound(unknown).text == "Sí, la recibí"


def test_a_raw_answer_reads_like_a_parsed_one() -> None:
    raw = f"{HEADERS}Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nSí, la recibí\n".encode()
    assert inbound({"email": raw, "envelope": FORM["envelope"]}) == inbound(FORM)


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Basic", "Basic !!!", "Bearer abc", "Basic " + base64.b64encode(b"any:wrong").decode(), "Basic YW55"],
)
def test_an_answer_without_our_password_is_forged(authorization: str | None) -> None:
    with pytest.raises(Forged):
        adapter("http://127.0.0.1:1").read_inbound(FORM, {}, authorization)


def test_without_a_password_of_ours_every_answer_is_forged() -> None:
    with pytest.raises(Forged):
        adapter("http://127.0.0.1:1", inbound_password="").read_inbound(FORM, {}, "Basic " + base64.b64encode(b"any:").decode())


def test_a_form_without_a_mail_is_malformed() -> None:
    with pytest.raises(Malformed):
        inbound({"envelope": FORM["envelope"]})


def test_a_form_is_read_as_bytes_with_its_files() -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nma\xf1ana\r\n'
        b'--x\r\nContent-Disposition: form-data; name="attachment1"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n\x89PNG\r\n\x00\r\n--x--\r\n"
    )
    form, files = read_form(body, "multipart/form-data; boundary=x")
    assert form == {"text": b"ma\xf1ana"}
    assert files == {"attachment1": Attachment("a.png", "image/png", b"\x89PNG\r\n\x00")}
    answer = inbound(FORM, files)
    assert [each.name for each in answer.attachments] == ["a.png"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"a=b", "application/x-www-form-urlencoded"), (b"--x\r\nContent-Disposition: form-da", "multipart/form-data; boundary=x"),
     (b"nothing", "multipart/form-data; boundary=x"), (b"", "multipart/form-data")],
)  # fmt: skip
def test_a_body_that_is_no_form_is_malformed(body: bytes, kind: str) -> None:
    with pytest.raises(Malformed):
        read_form(body, kind)
