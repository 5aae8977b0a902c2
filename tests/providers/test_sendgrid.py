"""The SendGrid adapter against the sandbox, and against answers that nobody documents."""

import asyncio
import http.client
import json
import socket
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from outreach.providers import sendgrid_http
from outreach.providers.contract import (
    Lost,
    Mail,
    Mailbox,
    NotOneMailbox,
    Receipt,
    Refusal,
    Unreachable,
    Verdict,
)
from outreach.providers.sendgrid import SendGridMail, codes
from outreach.sandbox.config import Config
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
