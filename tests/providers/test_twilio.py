"""The Twilio adapter against answers as Twilio documents them, and answers that nobody documents."""

import asyncio
import inspect
import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest

from outreach.access.sealing import FileKeyRing, Vault
from outreach.delivery.message import body_digest
from outreach.providers.contract import Envelope, Lost, Receipt, Refusal, Unreachable, Verdict
from outreach.providers.twilio import STATES, TwilioTexts, codes
from tests.listening import QuietHandler, listening

RECORDED = Path(__file__).with_name("recorded")
CREATED: dict[str, Any] = json.loads((RECORDED / "created.json").read_text())
SID = CREATED["sid"]


class Stub:
    """A server that answers everything the same way, and remembers what it was asked."""

    status = 201
    body = (RECORDED / "created.json").read_bytes()
    headers: dict[str, str]
    date: datetime | None = None

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.headers = {"Content-Type": "application/json"}
        self.url = ""

    def answer(self, status: int, body: object, **headers: str) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def stub() -> Iterator[Stub]:
    state = Stub()

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            parts = urlsplit(self.path)
            state.asked.append((self.command, parts.path, dict(parse_qsl(raw or parts.query))))
            self.send_response_only(state.status)
            self.send_header("Date", format_datetime(state.date or datetime.now(UTC), usegmt=True))
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        do_GET = do_POST = respond  # noqa: N815  # named by the standard library

    with listening(Handler) as url:
        state.url = url
        yield state


def adapter(stub: Stub, **changed: Any) -> TwilioTexts:
    values = {
        "account_sid": CREATED["account_sid"], "auth_token": "a token", "sender": "+12025550100", "api_url": stub.url,
        "callback_base": "https://outreach.example.org", "in_flight": 2, "timeout": 5.0,
    }  # fmt: skip
    return TwilioTexts(**(values | changed))


def send(stub: Stub, **changed: Any) -> Receipt:
    async def run() -> Receipt:
        async with adapter(stub, **changed) as texts:
            return await texts.send(Envelope(uuid4(), "+12025550123", "Letter Line: a sample", 14400))

    return asyncio.run(run())


def test_a_text_that_was_created_is_accepted_and_carries_our_token_in_its_callback(stub: Stub) -> None:
    receipt = send(stub)
    assert (receipt.verdict, receipt.provider_id) == (Verdict.ACCEPTED, SID)
    ((method, path, form),) = stub.asked
    assert (method, path) == ("POST", f"/2010-04-01/Accounts/{CREATED['account_sid']}/Messages.json")
    assert (form["To"], form["From"], form["ValidityPeriod"]) == ("+12025550123", "+12025550100", "14400")
    assert form["StatusCallback"] == f"https://outreach.example.org/webhooks/twilio/status/{receipt.token}#rc=5&rp=all"


def test_a_messaging_service_sends_under_its_own_name(stub: Stub) -> None:
    send(stub, sender=f"MG{'0' * 32}")
    assert "From" not in stub.asked[0][2]
    assert stub.asked[0][2]["MessagingServiceSid"] == f"MG{'0' * 32}"


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


PAGE = b"<html>Not what you asked for</html>"
ANSWERS: list[tuple[str, int, object, Verdict, Refusal | None]] = [
    ("Twilio's own error", 400, recorded("error.json"), Verdict.REFUSED, Refusal.BAD_ADDRESS),
    ("the newer form of an error", 400, recorded("problem.json"), Verdict.REFUSED, Refusal.BAD_ADDRESS),
    ("an error without a code", 400, {"status": 400, "message": "Bad"}, Verdict.REFUSED, Refusal.REVIEW),
    ("a code nobody knows", 400, {"status": 400, "code": 12345, "message": "x"}, Verdict.REFUSED, Refusal.REVIEW),
    ("a page with 400", 400, PAGE, Verdict.REFUSED, Refusal.REVIEW),
    ("no account of this name", 401, {"status": 401, "code": 20003, "message": "x"}, Verdict.REFUSED, Refusal.CONFIGURATION),
    ("a proxy that wants a password", 407, PAGE, Verdict.REFUSED, Refusal.CONFIGURATION),
    ("a firewall's page", 403, PAGE, Verdict.REFUSED, Refusal.CONFIGURATION),
    ("the wrong address", 404, PAGE, Verdict.REFUSED, Refusal.CONFIGURATION),
    ("a country that is not allowed", 403, {"status": 403, "code": 21408, "message": "x"}, Verdict.REFUSED, Refusal.NO_ROUTE),
    ("too fast", 429, {"status": 429, "code": 20429, "message": "x"}, Verdict.REFUSED, Refusal.BACK_OFF),
    ("a page with 429", 429, PAGE, Verdict.REFUSED, Refusal.BACK_OFF),
    ("a request that took too long", 408, PAGE, Verdict.UNKNOWN, None),
    ("a redirect", 302, PAGE, Verdict.UNKNOWN, None),
    ("a server in trouble", 500, {"status": 500, "code": 20500, "message": "x"}, Verdict.UNKNOWN, None),
    ("a gateway's page", 502, PAGE, Verdict.UNKNOWN, None),
    ("created, as a page", 201, PAGE, Verdict.UNKNOWN, None),
    ("created, and nothing more", 201, b"", Verdict.UNKNOWN, None),
    ("created, a list", 201, [], Verdict.UNKNOWN, None),
    ("created, without a sid", 201, {k: v for k, v in CREATED.items() if k != "sid"}, Verdict.UNKNOWN, None),
    ("created, with half of a letter", 201, recorded("created.json")[:-40] + b"\xc3", Verdict.UNKNOWN, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "verdict", "refusal"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
def test_every_answer_has_one_meaning(stub: Stub, status: int, body: object, verdict: Verdict, refusal: Refusal | None) -> None:
    stub.answer(status, body)
    receipt = send(stub)
    assert (receipt.verdict, receipt.refusal) == (verdict, refusal)
    assert len(stub.asked) == 1  # nothing is ever posted twice


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("", None), ("soon", None), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
def test_the_wait_that_twilio_asks_for_is_passed_on(stub: Stub, header: str, seconds: float | None) -> None:
    stub.answer(429, {"status": 429, "code": 20429, "message": "x"}, Retry_After=header)
    assert send(stub).retry_after == seconds


def test_a_number_that_is_not_allowed_here_is_never_handed_over(stub: Stub) -> None:
    receipt = send(stub, allowed_numbers=("+12025550199",))
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "not_allowed_here")
    assert stub.asked == []


def find(stub: Stub, since: datetime) -> list[str]:
    async def run() -> list[str]:
        async with adapter(stub) as texts:
            return [standing.provider_id for standing in await texts.find(Lost(uuid4(), "+12025550123", since))]

    return asyncio.run(run())


def listed(**fields: object) -> dict[str, Any]:
    return CREATED | fields


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=3), -timedelta(hours=3)])
def test_a_text_is_found_though_twilios_clock_is_not_ours(stub: Stub, ahead: timedelta) -> None:
    stub.date = datetime.now(UTC) + ahead
    started = datetime.now(UTC) - timedelta(minutes=2)
    mine = listed(date_created=format_datetime(stub.date))
    old = listed(date_created=format_datetime(stub.date - timedelta(minutes=30)), sid=f"SM{'1' * 32}")
    stub.answer(200, {"messages": [mine, old], "next_page_uri": None})
    assert find(stub, started) == [SID]
    assert stub.asked[0][2]["To"] == "+12025550123"


def test_answers_to_phones_and_texts_of_phones_are_not_taken_for_ours(stub: Stub) -> None:
    directions = ("inbound", "outbound-reply", "outbound-call")
    stub.answer(200, {"messages": [listed(direction=direction) for direction in directions], "next_page_uri": None})
    assert find(stub, datetime(2020, 1, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_books_that_cannot_be_read_prove_nothing(stub: Stub, status: int) -> None:
    stub.answer(status, {"status": status, "code": 20000, "message": "x"})
    with pytest.raises(Unreachable):
        find(stub, datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("body", [PAGE, b"", b"[]", b'{"messages": [{}]}'])
def test_a_listing_that_is_none_proves_nothing(stub: Stub, body: bytes) -> None:
    stub.answer(200, body)
    with pytest.raises(Unreachable):
        find(stub, datetime(2020, 1, 1, tzinfo=UTC))


def test_one_text_is_fetched_by_its_sid_and_its_absence_told_from_trouble(stub: Stub) -> None:
    async def run() -> Any:
        async with adapter(stub) as texts:
            return await texts.fetch(SID)

    stub.answer(200, listed(status="undelivered", error_code=30003))
    standing = asyncio.run(run())
    assert (standing.provider_id, standing.state, standing.code) == (SID, "undelivered", "30003")
    stub.answer(404, {"status": 404, "code": 20404, "message": "x"})
    assert asyncio.run(run()) is None
    stub.answer(503, PAGE)
    with pytest.raises(Unreachable):
        asyncio.run(run())


def test_each_code_means_one_thing_and_each_status_is_one_of_ours() -> None:
    table = tomllib.loads(Path(inspect.getfile(TwilioTexts)).with_name("twilio_codes.toml").read_text())
    listed_codes = [code for entry in table.values() for code in entry["codes"]]
    assert len(listed_codes) == len(set(listed_codes)) == len(codes())
    assert set(STATES.values()) == {"accepted", "sent", "delivered", "undelivered", "failed"}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Letter Line: “hello” – it’s free…", 'Letter Line: "hello" - it\'s free...'),
        ("a\u00a0b\u2009c", "a b c"),
        ("lo recibi\u0301", "lo recibí"),
        ("Letter Line\n", "Letter Line"),
        ("ＡＢＣ", "ABC"),
    ],
)
def test_a_text_is_recognised_though_the_provider_saved_segments_on_it(tmp_path: Path, sent: str, shown: str) -> None:
    vault = Vault(FileKeyRing.create(tmp_path / "ring.json"))
    assert body_digest(vault, sent) == body_digest(vault, shown)
    assert body_digest(vault, sent) != body_digest(vault, shown + " 2")


def test_a_text_that_did_not_arrive_before_its_hours_closed_may_be_tried_again() -> None:
    assert codes()["30036"] is Refusal.TRANSIENT
