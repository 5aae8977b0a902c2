"""The SendGrid adapter against the sandbox, and against answers that nobody documents; its webhooks, signed and forged."""

import asyncio
import base64
import http.client
import json
import random
import socket
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
import structlog

from outreach.providers import sendgrid_http
from outreach.providers.contract import (
    Attachment,
    Forged,
    InboundMail,
    Lost,
    Mail,
    Mailbox,
    Malformed,
    NotOneMailbox,
    Objected,
    Objection,
    Receipt,
    Refusal,
    Report,
    Unreachable,
    Verdict,
)
from outreach.providers.sendgrid import SendGridMail, codes
from outreach.providers.sendgrid_events import BadKey
from outreach.providers.sendgrid_inbound import read_form
from outreach.sandbox.config import Config
from outreach.sandbox.mail_events import signed
from outreach.sandbox.mail_key import new_key, private_key, public_key
from outreach.sandbox.server import Sandbox
from tests.listening import QuietHandler, listening

RECORDED = Path(__file__).with_name("recorded")
T = TypeVar("T")
KEY = "SG.made-up"
TOKEN = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
SIGNING = private_key(new_key())
PASSWORD = "handed over by SendGrid"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    config = Config(auth_token="unused", sendgrid_api_key=KEY, books=tmp_path / "books.sqlite", status_delay_ms=1)
    with Sandbox(config) as running:
        yield running


def adapter(url: str, **changed: Any) -> SendGridMail:
    values: dict[str, Any] = {
        "api_key": KEY, "sender": Mailbox("letters@notices.example.org"), "sender_name": "Letter Line", "api_url": url,
        "in_flight": 4, "timeout": 2.0, "webhook_keys": (public_key(SIGNING),), "inbound_password": PASSWORD,
        "read_address": lambda address: TOKEN if address.startswith("r+good@") else None,
    }  # fmt: skip
    return SendGridMail(**(values | changed))


def mail(to: str = "ana@example.org", **changed: Any) -> Mail:
    values: dict[str, Any] = {
        "token": uuid4(), "to": Mailbox(to), "subject": "A letter is waiting for you", "text": "Llame al 1-800-555-0199.",
        "html": "<p>Llame al <bdi>1-800-555-0199</bdi>.</p>", "language": "es",
        "reply_to": Mailbox("r+abc@reply.notices.example.org"),
        "unsubscribe_url": "https://notices.example.org/u/u-abc",
    }  # fmt: skip
    return Mail(**(values | changed))


def talk(url: str, conversation: Callable[[SendGridMail], Awaitable[T]], **changed: Any) -> T:
    async def run() -> T:
        async with adapter(url, **changed) as mails:
            return await conversation(mails)

    return asyncio.run(run())


def send(url: str, one: Mail | None = None, **changed: Any) -> Receipt:
    return talk(url, lambda mails: mails.send(one or mail()), **changed)


def test_a_mail_goes_to_one_recipient_with_our_token_and_nothing_that_watches_its_reader(sandbox: Sandbox) -> None:
    one = mail()
    receipt = send(sandbox.url, one)
    assert receipt.verdict is Verdict.ACCEPTED
    assert receipt.provider_id is not None
    assert sandbox.control.mail(receipt.provider_id) == {
        "from": {"email": "letters@notices.example.org", "name": "Letter Line"},
        "subject": "A letter is waiting for you",
        "personalizations": [{"to": [{"email": "ana@example.org"}], "custom_args": {"token": str(one.token)}}],
        "reply_to": {"email": "r+abc@reply.notices.example.org"},
        "content": [
            {"type": "text/plain", "value": "Llame al 1-800-555-0199."},
            {"type": "text/html", "value": "<p>Llame al <bdi>1-800-555-0199</bdi>.</p>"},
        ],
        "headers": {
            "List-Unsubscribe": "<https://notices.example.org/u/u-abc>, "
            "<mailto:r%2Babc@reply.notices.example.org?subject=unsubscribe>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Content-Language": "es",
        },
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
        "mail_settings": {"bypass_list_management": {"enable": False}, "footer": {"enable": False}},
    }


@pytest.mark.parametrize(
    "address",
    [
        "ana@example.org, ben@example.org",
        "ana@example.org;ben@example.org",
        "Ana <ana@example.org>",
        "ana@example.org\nbcc:b@example.org",
        "",
    ],
)
def test_a_mail_to_two_addresses_cannot_even_be_written(address: str) -> None:
    with pytest.raises(NotOneMailbox):
        mail(address)


def test_connections_are_kept(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    connect = http.client.HTTPConnection.connect
    monkeypatch.setattr(
        http.client.HTTPConnection,
        "connect",
        lambda self: (opened.append(1), connect(self))[1],  # type: ignore[func-returns-value]  # counts, then connects
    )

    async def twenty(mails: SendGridMail) -> list[Receipt]:
        return [await mails.send(mail(f"p{number}@example.org")) for number in range(20)]

    assert {receipt.verdict for receipt in talk(sandbox.url, twenty)} == {Verdict.ACCEPTED}
    assert len(opened) == 1


def test_many_at_once_are_each_sent_once(sandbox: Sandbox) -> None:
    async def all_of_them(mails: SendGridMail) -> list[Receipt]:
        return await asyncio.gather(*(mails.send(mail(f"p{number}@example.org")) for number in range(60)))

    receipts = talk(sandbox.url, all_of_them)
    assert len({receipt.provider_id for receipt in receipts}) == 60
    totals = sandbox.control.summary()["mail"]
    assert (totals["accepted"], totals["duplicates"]) == (60, 0)


FAULTS: list[tuple[dict[str, Any], Verdict, Refusal | None, str, int]] = [
    ({"fault": "refuse"}, Verdict.REFUSED, Refusal.BAD_ADDRESS, "400:personalizations.0.to.0.email", 0),
    ({"fault": "refuse", "http_status": 401}, Verdict.REFUSED, Refusal.CONFIGURATION, "http_401", 0),
    ({"fault": "refuse", "http_status": 403}, Verdict.REFUSED, Refusal.CONFIGURATION, "http_403", 0),
    ({"fault": "refuse", "http_status": 413}, Verdict.REFUSED, Refusal.REVIEW, "http_413", 0),
    ({"fault": "rate_limit"}, Verdict.REFUSED, Refusal.BACK_OFF, "http_429", 0),
    ({"fault": "error_before", "http_status": 503}, Verdict.UNKNOWN, None, "http_503", 0),
    ({"fault": "error_before", "http_status": 408}, Verdict.UNKNOWN, None, "http_408", 0),
    ({"fault": "error_after"}, Verdict.UNKNOWN, None, "http_500", 1),
    ({"fault": "drop_before"}, Verdict.UNKNOWN, None, "ConnectionResetError", 0),
    ({"fault": "drop_after"}, Verdict.UNKNOWN, None, "ConnectionResetError", 1),
    ({"fault": "cut_off"}, Verdict.UNKNOWN, None, "no_message_id", 1),
    ({"fault": "truncated"}, Verdict.UNKNOWN, None, "BadStatusLine", 1),
    ({"fault": "wrong_type"}, Verdict.UNKNOWN, None, "http_200", 1),
    ({"fault": "no_sid"}, Verdict.UNKNOWN, None, "no_message_id", 1),
]


@pytest.mark.parametrize(("rule", "verdict", "refusal", "code", "accepted"), FAULTS, ids=[str(case[0]) for case in FAULTS])
def test_every_answer_has_one_meaning_and_nothing_is_posted_twice(
    sandbox: Sandbox, rule: dict[str, Any], verdict: Verdict, refusal: Refusal | None, code: str, accepted: int
) -> None:
    sandbox.control.fault(to="*@*", **rule)
    receipt = send(sandbox.url)
    assert (receipt.verdict, receipt.refusal) == (verdict, refusal)
    if code != "ConnectionResetError":  # The machine decides whether a dropped connection is reset or merely over.
        assert receipt.code == code
    totals = sandbox.control.summary()["mail"]
    assert (totals["requests"], totals["accepted"]) == (1, accepted)


def test_an_answer_that_comes_too_late_leaves_the_outcome_unknown(sandbox: Sandbox) -> None:
    sandbox.control.fault("slow", to="*@*", ms=3000)
    started = time.monotonic()
    assert send(sandbox.url, timeout=0.3).verdict is Verdict.UNKNOWN
    assert time.monotonic() - started < 2
    assert sandbox.control.summary()["mail"]["accepted"] == 1


def test_a_wrong_key_is_ours_to_mend(sandbox: Sandbox) -> None:
    assert send(sandbox.url, api_key="SG.another").refusal is Refusal.CONFIGURATION


def test_a_refused_connection_sent_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        receipt = send(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (receipt.verdict, receipt.code) == (Verdict.NOT_SENT, "ConnectionRefusedError")


def test_a_mail_that_waits_for_a_hand_until_its_time_is_up_was_not_sent(sandbox: Sandbox) -> None:
    sandbox.control.fault("slow", to="stuck@*", ms=1000)

    async def overdue(mails: SendGridMail) -> list[Verdict]:
        first = asyncio.create_task(mails.send(mail("stuck@example.org")))
        await asyncio.sleep(0.1)
        mails._timeout = -0.9  # Our patience ends a tenth of a second from now, while the only thread waits for the first.
        behind = await mails.send(mail("behind@example.org"))
        return [behind.verdict, (await first).verdict]

    assert talk(sandbox.url, overdue, in_flight=1, timeout=5.0) == [Verdict.NOT_SENT, Verdict.ACCEPTED]
    assert sandbox.control.summary()["mail"]["requests"] == 1


def test_a_domain_that_is_not_allowed_here_is_never_handed_over(sandbox: Sandbox) -> None:
    receipt = send(sandbox.url, mail("ana@example.org"), allowed_domains=("example.net",))
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "not_allowed_here")
    assert send(sandbox.url, mail("ana@Example.Net"), allowed_domains=("example.net",)).verdict is Verdict.ACCEPTED
    assert sandbox.control.summary()["mail"]["requests"] == 1


class Stub:
    """A server that answers everything the same way."""

    def __init__(self) -> None:
        self.url, self.status, self.body = "", 202, b""
        self.headers: dict[str, str] = {}
        self.paths: list[str] = []

    def answer(self, status: int, body: object = b"", **headers: str) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def stub() -> Iterator[Stub]:
    state = Stub()

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.paths.append(self.path)
            self.send_response_only(state.status)
            for name, value in {"Content-Length": str(len(state.body)), **state.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(state.body)

        do_GET = do_POST = respond  # noqa: N815  # named by the standard library

    with listening(Handler) as url:
        state.url = url
        yield state


@pytest.mark.parametrize(
    ("status", "body", "verdict", "refusal"),
    [
        (400, {"errors": [{"message": "x", "field": "from.email", "help": None}]}, Verdict.REFUSED, Refusal.CONFIGURATION),
        (400, {"errors": [{"message": "x", "field": None}]}, Verdict.REFUSED, Refusal.REVIEW),
        (400, {"errors": [{"message": "x", "field": "ana@example.org"}]}, Verdict.REFUSED, Refusal.REVIEW),
        (400, b"<html>", Verdict.REFUSED, Refusal.REVIEW),
        (400, {"errors": [7]}, Verdict.REFUSED, Refusal.REVIEW),
        (404, b"<html>", Verdict.REFUSED, Refusal.CONFIGURATION),
        (302, b"", Verdict.UNKNOWN, None),
        (202, b"", Verdict.UNKNOWN, None),
    ],
)
def test_answers_of_others_than_sendgrid(stub: Stub, status: int, body: object, verdict: Verdict, refusal: Refusal | None) -> None:
    stub.answer(status, body)
    receipt = send(stub.url)
    assert (receipt.verdict, receipt.refusal) == (verdict, refusal)
    assert "example.org" not in (receipt.code or "")
    assert len(stub.paths) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"X_RateLimit_Reset": "1792566480", "Date": "Wed, 21 Oct 2026 07:07:00 GMT"}, 60.0),
        ({"X_RateLimit_Reset": "1792566480", "Date": "Wed, 21 Oct 2026 09:28:00 GMT"}, 0.0),
        ({"X_RateLimit_Reset": "99999999999"}, 3600.0),
        ({"X_RateLimit_Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_sendgrid_asks_for_is_passed_on(stub: Stub, headers: dict[str, str], seconds: float | None) -> None:
    stub.answer(429, {"errors": [{"message": "too many requests", "field": None}]}, **headers)
    receipt = send(stub.url)
    assert (receipt.refusal, receipt.retry_after) == (Refusal.BACK_OFF, seconds)


def test_a_server_that_closes_after_each_answer_is_spoken_to_all_the_same(stub: Stub) -> None:
    stub.answer(202, X_Message_Id="abc", Connection="close")

    async def three(mails: SendGridMail) -> list[Receipt]:
        return [await mails.send(mail()) for _ in range(3)]

    assert [receipt.verdict for receipt in talk(stub.url, three)] == [Verdict.ACCEPTED] * 3


def test_a_lost_mail_is_found_by_its_token_and_one_by_its_id(sandbox: Sandbox) -> None:
    sandbox.control.fault("drop_after", to="*@*", next=1)
    lost, other = mail(), mail("bounce.1@example.org")

    async def lose_and_find(mails: SendGridMail) -> None:
        assert (await mails.send(lost)).verdict is Verdict.UNKNOWN
        accepted = await mails.send(other)
        assert accepted.provider_id is not None
        sandbox.control.wait_until_quiet()
        (found,) = await mails.find(Lost(lost.token, lost.to.address, datetime.now(UTC) - timedelta(minutes=1)))
        assert (found.token, found.to, found.state) == (lost.token, "ana@example.org", "delivered")
        assert await mails.find(Lost(uuid4(), "ana@example.org", datetime.now(UTC))) == []
        again = await mails.fetch(accepted.provider_id)
        assert again is not None
        assert (again.provider_id, again.state) == (accepted.provider_id, "undelivered")
        assert await mails.fetch("nothing_like_it") is None

    talk(sandbox.url, lose_and_find, activity=True)


def test_an_underscore_in_an_id_stands_for_itself(stub: Stub) -> None:
    entry = {"to_email": "ana@example.org", "status": "delivered", "last_event_time": "2026-01-05T10:00:00Z"}
    stub.answer(200, {"messages": [entry | {"msg_id": "aXb.recvd-1"}, entry | {"msg_id": "a_b.recvd-1"}]})
    found = talk(stub.url, lambda mails: mails.fetch("a_b"), activity=True)
    assert found is not None
    assert found.provider_id == "a_b"
    assert "a_b%25" in stub.paths[0]


@pytest.mark.parametrize(
    ("status", "body"), [(401, b"{}"), (429, b"{}"), (500, b""), (200, b"<html>"), (200, b"[]"), (200, b'{"messages": [{}]}')]
)
def test_books_that_cannot_be_read_prove_nothing(stub: Stub, status: int, body: bytes) -> None:
    stub.answer(status, body)
    for ask in (lambda mails: mails.find(Lost(TOKEN, "a@example.org", datetime.now(UTC))), lambda mails: mails.fetch("abc")):
        with pytest.raises(Unreachable):
            talk(stub.url, ask, activity=True)


def test_an_account_without_the_email_activity_has_no_books_to_look_into(stub: Stub) -> None:
    with pytest.raises(Unreachable):
        talk(stub.url, lambda mails: mails.find(Lost(TOKEN, "a@example.org", datetime.now(UTC))))
    assert stub.paths == []


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("bounce:5.1.1", Refusal.BAD_ADDRESS),
        ("bounce:5.1.10", Refusal.BAD_ADDRESS),
        ("bounce:5.2.1", Refusal.BAD_ADDRESS),
        ("bounce:unknown", Refusal.BAD_ADDRESS),
        ("bounce:5.2.2", Refusal.TRANSIENT),
        ("bounce:5.7.26", Refusal.REVIEW),
        ("blocked:5.1.1", Refusal.TRANSIENT),
        ("blocked:unknown", Refusal.TRANSIENT),
        ("dropped:bounced_address", Refusal.BAD_ADDRESS),
        ("dropped:invalid", Refusal.BAD_ADDRESS),
        ("dropped:spam_reporting_address", Refusal.OPTED_OUT),
        ("dropped:unsubscribed_address", Refusal.OPTED_OUT),
        ("dropped:spam_content", Refusal.FILTERED),
        ("dropped:invalid_smtpapi_header", Refusal.CONFIGURATION),
        ("dropped:unknown", Refusal.REVIEW),
        ("something new", Refusal.REVIEW),
        ("", Refusal.REVIEW),
        (None, Refusal.REVIEW),
    ],
)
def test_what_is_done_about_each_code(code: str | None, refusal: Refusal) -> None:
    assert adapter("http://127.0.0.1:1").refusal(code) is refusal


def test_each_code_means_one_thing() -> None:
    table = tomllib.loads(Path(sendgrid_http.__file__).with_name("sendgrid_codes.toml").read_text())
    listed = [code for entry in table.values() for code in entry["codes"]]
    assert len(listed) == len(set(listed)) == len(codes())


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
