"""The PostGrid adapter against answers as PostGrid documents them, answers that nobody documents, and signed callbacks."""

import asyncio
import hashlib
import hmac
import json
import logging
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import jwt
import pytest

from outreach.delivery.message import AttemptState
from outreach.providers.contract import Forged, Letter, Lost, Malformed, Receipt, Refusal, Standing, Unreachable, Verdict
from outreach.providers.postgrid import PostGridLetters, words
from outreach.providers.postgrid_address import Unreadable, contact
from tests.listening import QuietHandler, listening

RECORDED = Path(__file__).with_name("recorded") / "postgrid"
LETTER: dict[str, Any] = json.loads((RECORDED / "letter.json").read_text())
EVENT: dict[str, Any] = json.loads((RECORDED / "event.json").read_text())
ERROR: dict[str, Any] = json.loads((RECORDED / "error.json").read_text())
TOKEN = UUID(LETTER["metadata"]["token"])
SECRET = "a secret of at least thirty-two characters"
SENDER = ("Letter Line", "PO Box 5550", "Springfield, IL 62701")
BLOCK = ("Ana María Example", "12 Sample Street", "Apt 3", "Springfield, IL 62701-0001")
PDF = b"%PDF-1.7 a sample"
PAGE = b"<html>Not what you asked for</html>"


class Stub:
    """A server that answers everything the same way, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = []
        self.status, self.body = 201, json.dumps(LETTER).encode()
        self.headers = {"Content-Type": "application/json"}
        self.url = ""
        self.pause = 0.0

    def answer(self, status: int, body: object, **headers: str) -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is PAGE:
            self.headers["Content-Type"] = "text/html"


@pytest.fixture
def stub() -> Iterator[Stub]:
    state = Stub()

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            fields = uploaded(self.headers["Content-Type"], raw) if raw else dict(parse_qsl(parts.query))
            state.asked.append((self.command, parts.path, fields, {name.lower(): value for name, value in self.headers.items()}))
            time.sleep(state.pause)
            self.send_response_only(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        do_GET = do_POST = do_DELETE = respond  # noqa: N815  # named by the standard library

    with listening(Handler) as url:
        state.url = url
        yield state


def uploaded(content_type: str, raw: bytes) -> dict[str, str]:
    """The parts of a multipart upload by name; binary ones as Latin-1."""
    form = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + raw)
    found = {}
    for part in form.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        text = content.decode("latin-1" if part.get_filename() else "utf-8")
        found[str(part.get_param("name", header="content-disposition"))] = text
    return found


def adapter(url: str = "http://127.0.0.1:9", **changed: Any) -> PostGridLetters:
    values: dict[str, Any] = {
        "api_key": "test_sk_sample",
        "webhook_secret": SECRET,
        "api_url": url,
        "sender": SENDER,
        "timeout": 5.0,
    }
    return PostGridLetters(**(values | changed))


def letter(token: UUID = TOKEN, recipient: tuple[str, ...] = BLOCK, country: str = "US") -> Letter:
    return Letter(token, recipient, country, PDF, 1)


def send(url: str, sent: Letter | None = None, **changed: Any) -> Receipt:
    async def run() -> Receipt:
        async with adapter(url, **changed) as letters:
            return await letters.send(sent or letter())

    return asyncio.run(run())


def test_a_letter_is_uploaded_under_our_token_with_the_name_in_the_address_alone(stub: Stub) -> None:
    receipt = send(stub.url)
    assert (receipt.verdict, receipt.provider_id, receipt.token) == (Verdict.ACCEPTED, LETTER["id"], TOKEN)
    ((method, path, fields, headers),) = stub.asked
    assert (method, path) == ("POST", "/print-mail/v1/letters")
    assert (headers["idempotency-key"], headers["x-api-key"]) == (str(TOKEN), "test_sk_sample")
    assert fields == {
        "to[firstName]": "Ana María",
        "to[lastName]": "Example",
        "to[addressLine1]": "12 Sample Street",
        "to[addressLine2]": "Apt 3",
        "to[city]": "Springfield",
        "to[provinceOrState]": "IL",
        "to[postalOrZip]": "62701-0001",
        "to[countryCode]": "US",
        "to[secret]": "true",
        "from[firstName]": "Letter",
        "from[lastName]": "Line",
        "from[addressLine1]": "PO Box 5550",
        "from[city]": "Springfield",
        "from[provinceOrState]": "IL",
        "from[postalOrZip]": "62701",
        "from[countryCode]": "US",
        "from[secret]": "false",
        "pdf": PDF.decode(),
        "description": str(TOKEN),
        "metadata[token]": str(TOKEN),
        "addressPlacement": "top_first_page",
        "envelope": "standard",
        "mailingClass": "first_class",
        "doubleSided": "true",
        "color": "false",
        "size": "us_letter",
    }


def test_options_of_the_mail_house_are_passed_on(stub: Stub) -> None:
    chosen: dict[str, Any] = {"envelope": "envelope_1", "return_envelope": "return_envelope_2", "mailing_class": "certified"}
    send(stub.url, address_in_window=False, **chosen)
    fields = stub.asked[0][2]
    assert fields["addressPlacement"] == "insert_blank_page"
    assert (fields["envelope"], fields["returnEnvelope"], fields["mailingClass"]) == tuple(chosen.values())


def error(kind: str) -> dict[str, Any]:
    return {"object": "error", "error": {"type": kind, "message": "12 Sample Street is wrong"}}


ANSWERS: list[tuple[str, int, object, Verdict, Refusal | None]] = [
    ("PostGrid's own error", 400, ERROR, Verdict.REFUSED, Refusal.REVIEW),
    ("an address that is none", 422, error("undeliverable_address_error"), Verdict.REFUSED, Refusal.BAD_ADDRESS),
    ("an address that is none, said with 400", 400, error("invalid_address_error"), Verdict.REFUSED, Refusal.BAD_ADDRESS),
    ("a type nobody knows", 400, error("weather_error"), Verdict.REFUSED, Refusal.REVIEW),
    ("a type that is a sentence", 400, error("The address of Ana"), Verdict.REFUSED, Refusal.REVIEW),
    ("a page with 400", 400, PAGE, Verdict.REFUSED, Refusal.REVIEW),
    ("too large a letter", 413, PAGE, Verdict.REFUSED, Refusal.REVIEW),
    ("a wrong key", 401, error("unauthorized_error"), Verdict.REFUSED, Refusal.CONFIGURATION),
    ("an account that has not paid", 402, PAGE, Verdict.REFUSED, Refusal.CONFIGURATION),
    ("a firewall's page", 403, PAGE, Verdict.REFUSED, Refusal.CONFIGURATION),
    ("the wrong address of the API", 404, PAGE, Verdict.REFUSED, Refusal.CONFIGURATION),
    ("an envelope that the account has not", 400, error("envelope_not_found_error"), Verdict.REFUSED, Refusal.CONFIGURATION),
    ("too fast", 429, error("too_many_requests_error"), Verdict.REFUSED, Refusal.BACK_OFF),
    ("a page with 429", 429, PAGE, Verdict.REFUSED, Refusal.BACK_OFF),
    ("a request that took too long", 408, PAGE, Verdict.UNKNOWN, None),
    ("the same key, still at work", 409, PAGE, Verdict.UNKNOWN, None),
    ("a redirect", 307, PAGE, Verdict.UNKNOWN, None),
    ("a server in trouble", 500, error("internal_error"), Verdict.UNKNOWN, None),
    ("a gateway's page", 502, PAGE, Verdict.UNKNOWN, None),
    ("created, as a page", 201, PAGE, Verdict.UNKNOWN, None),
    ("created, and nothing more", 201, b"", Verdict.UNKNOWN, None),
    ("created, a list", 201, [], Verdict.UNKNOWN, None),
    ("created, without an id", 201, {k: v for k, v in LETTER.items() if k != "id"}, Verdict.UNKNOWN, None),
    ("created, with an id of something else", 201, LETTER | {"id": "postcard_1"}, Verdict.UNKNOWN, None),
    ("created, half of it", 201, json.dumps(LETTER).encode()[:300], Verdict.UNKNOWN, None),
]


@pytest.mark.parametrize(
    ("status", "body", "verdict", "refusal"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
def test_every_answer_has_one_meaning(stub: Stub, status: int, body: object, verdict: Verdict, refusal: Refusal | None) -> None:
    stub.answer(status, body, Location="/elsewhere")
    receipt = send(stub.url)
    assert (receipt.verdict, receipt.refusal) == (verdict, refusal)
    assert len(stub.asked) == 1  # neither the package nor a redirect asks again
    assert "Ana" not in str(receipt)
    assert "Sample" not in str(receipt)


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("", None), ("soon", None), ("-1", None)])
def test_the_wait_that_postgrid_asks_for_is_passed_on(stub: Stub, header: str, seconds: float | None) -> None:
    stub.answer(429, PAGE, Retry_After=header)
    assert send(stub.url).retry_after == seconds


def test_a_refused_connection_has_sent_nothing_and_a_late_answer_proves_nothing(stub: Stub) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert send(closed).verdict == Verdict.NOT_SENT
    stub.pause = 0.5
    assert send(stub.url, timeout=0.2).verdict == Verdict.UNKNOWN


def test_without_a_key_no_letter_leaves_us(stub: Stub) -> None:
    receipt = send(stub.url, api_key="")
    assert (receipt.verdict, receipt.refusal) == (Verdict.REFUSED, Refusal.CONFIGURATION)
    assert stub.asked == []


def test_no_more_letters_are_under_way_than_is_allowed_and_the_clock_starts_with_each_ones_turn(stub: Stub) -> None:
    stub.pause = 0.25

    async def run() -> list[Receipt]:
        async with adapter(stub.url, in_flight=1, timeout=0.6) as letters:
            return await asyncio.gather(*(letters.send(letter(uuid4())) for _ in range(4)))

    started = time.monotonic()
    assert {receipt.verdict for receipt in asyncio.run(run())} == {Verdict.ACCEPTED}
    assert time.monotonic() - started >= 4 * stub.pause


@pytest.mark.parametrize(
    ("block", "fields"),
    [
        (("Ana Example", "12 Sample Street", "Springfield, IL 62701"), ("Ana Example", "", "12 Sample Street", "")),
        (("Ana Example", "PO Box 7", "Springfield IL 62701-1234"), ("Ana Example", "", "PO Box 7", "")),
        (("Ana Example", "General Delivery", "Springfield, il 62701"), ("Ana Example", "", "General Delivery", "")),
        (("Sam Lawyer", "Sample & Sample LLP", "1 Court Sq", "Ste 2", "Springfield, IL 62701"),
         ("Sam Lawyer", "Sample & Sample LLP", "1 Court Sq", "Ste 2")),
        (("  Ana   Example ", "12 Sample Street", "Apt 3", "Springfield,  IL  62701"),
         ("Ana Example", "", "12 Sample Street", "Apt 3")),
    ],
)  # fmt: skip
def test_an_address_block_is_read_into_fields(block: tuple[str, ...], fields: tuple[str, ...]) -> None:
    read = contact(block, "US")
    assert (read.name, read.company, read.line1, read.line2) == fields
    assert (read.city, read.state, read.zip_code[:5]) == ("Springfield", "IL", "62701")


def test_a_territory_is_at_home() -> None:
    read = contact(("Ana Example", "12 Calle Muestra", "San Juan, PR 00926"), "PR")
    assert (read.city, read.state, read.fields(secret=True)["country_code"]) == ("San Juan", "PR", "US")


@pytest.mark.parametrize(
    ("block", "country", "code"),
    [
        (("Ana Example", "Calle 1", "01000 Ciudad de México"), "MX", "foreign_block"),
        (("Ana Example", "Springfield, IL 62701"), "US", "short_block"),
        ((), "US", "short_block"),
        (("Ana Example", "", "Springfield, IL 62701"), "US", "short_block"),
        (("Ana Example", "12 Sample Street", "Springfield, IL"), "US", "last_line"),
        (("Ana Example", "12 Sample Street", "Springfield, ZZ 62701"), "US", "last_line"),
        (("Ana Example", "12 Sample Street", "IL 62701"), "US", "last_line"),
        (("Ana Example", "Springfield Center", "Springfield, IL 62701"), "US", "no_street"),
        (("Ana Example", "A# 000-000-000", "Sample Center", "1 Road", "Springfield, IL 62701"), "US", "long_block"),
    ],
)
def test_a_block_that_does_not_fit_is_for_a_human_and_never_handed_over(
    stub: Stub, block: tuple[str, ...], country: str, code: str
) -> None:
    receipt = send(stub.url, letter(recipient=block, country=country))
    assert (receipt.verdict, receipt.code, receipt.refusal) == (Verdict.REFUSED, code, Refusal.REVIEW)
    assert stub.asked == []


def test_a_return_address_that_is_none_is_found_out_at_the_start() -> None:
    with pytest.raises(Unreadable):
        adapter(sender=("Letter Line", "Springfield"))


def ask(url: str, what: str, *given: Any) -> Any:
    async def run() -> Any:
        async with adapter(url) as letters:
            return await getattr(letters, what)(*given)

    return asyncio.run(run())


LOST = Lost(TOKEN, "", datetime(2026, 11, 23, tzinfo=UTC))


def test_a_lost_letter_is_searched_by_its_token_and_known_by_it(stub: Stub) -> None:
    stub.answer(200, {"object": "list", "limit": 100, "skip": 0, "totalCount": 1, "data": [LETTER]})
    assert ask(stub.url, "find", LOST) == [
        Standing(LETTER["id"], "ready", "accepted", None, "", "", datetime(2026, 11, 23, 1, tzinfo=UTC), TOKEN)
    ]
    ((method, path, query, _),) = stub.asked
    assert (method, path, query["search"]) == ("GET", "/print-mail/v1/letters", f'"{TOKEN}"')


def test_a_letter_that_postgrid_never_had_is_absent(stub: Stub) -> None:
    stub.answer(200, {"object": "list", "limit": 100, "skip": 0, "totalCount": 0, "data": []})
    assert ask(stub.url, "find", LOST) == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, error("unauthorized_error")),
        (500, PAGE),
        (200, PAGE),
        (200, b""),
        (200, []),
        (200, {"object": "list", "totalCount": 0}),
        (200, {"data": [{}]}),
        (200, {"data": [LETTER | {"metadata": {}}]}),  # The search was not understood: here are all the letters.
    ],
)
def test_books_that_cannot_be_read_prove_nothing(stub: Stub, status: int, body: object) -> None:
    stub.answer(status, body)
    with pytest.raises(Unreachable):
        ask(stub.url, "find", LOST)


@pytest.mark.parametrize(
    ("changed", "status", "state", "code"),
    [
        ({"status": "printing"}, "printing", "accepted", None),
        ({"status": "processed_for_delivery"}, "processed_for_delivery", "sent", None),
        ({"status": "completed"}, "completed", "sent", None),
        ({"status": "completed", "imbStatus": "entered_mail_stream"}, "entered_mail_stream", "sent", None),
        ({"status": "completed", "imbStatus": "out_for_delivery"}, "out_for_delivery", "delivered", None),
        ({"status": "completed", "imbStatus": "returned_to_sender"}, "returned_to_sender", "returned", None),
        ({"status": "completed", "imbStatus": "in_a_balloon"}, "completed", "sent", None),
        ({"status": "cancelled", "cancellation": {"reason": "invalid_content"}}, "cancelled", "failed", "invalid_content"),
        ({"status": "something_new"}, "something_new", "accepted", None),
    ],
)
def test_what_became_of_a_letter_is_told_in_postgrids_word_and_ours(
    stub: Stub, changed: dict[str, Any], status: str, state: str, code: str | None
) -> None:
    stub.answer(200, LETTER | changed)
    standing = ask(stub.url, "fetch", LETTER["id"])
    assert (standing.status, standing.state, standing.code, standing.token) == (status, state, code, TOKEN)


def test_a_letters_absence_is_told_from_trouble(stub: Stub) -> None:
    stub.answer(404, error("letter_not_found_error"))
    assert ask(stub.url, "fetch", LETTER["id"]) is None
    for status, body in ((404, PAGE), (503, PAGE), (200, PAGE)):
        stub.answer(status, body)
        with pytest.raises(Unreachable):
            ask(stub.url, "fetch", LETTER["id"])


def test_a_letter_that_is_still_ready_was_neither_called_back_nor_is_it_too_late(stub: Stub) -> None:
    stub.answer(200, LETTER)
    with pytest.raises(Unreachable):
        ask(stub.url, "cancel", LETTER["id"])
    stub.answer(200, LETTER | {"status": "cancelled"})
    assert ask(stub.url, "cancel", LETTER["id"])
    stub.answer(200, LETTER | {"status": "printing"})
    assert not ask(stub.url, "cancel", LETTER["id"])


def test_every_word_of_postgrid_is_one_of_our_states_and_completed_is_never_delivered() -> None:
    assert set(words().states.values()) <= {str(state) for state in AttemptState}
    assert words().states["completed"] == "sent"
    assert adapter().refusal(None) == adapter().refusal("never_heard_of") == Refusal.REVIEW
    assert adapter().refusal("http_401") == Refusal.CONFIGURATION


def test_requests_are_not_written_into_the_log_even_by_a_verbose_one(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        send(stub.url)
    assert "Sample Street" not in caplog.text


def signed(body: bytes, *, secret: str = SECRET, at: int | None = None) -> dict[str, str]:
    moment = str(int(time.time() * 1000) if at is None else at)
    digest = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"PostGrid-Signature": f"t={moment},v1={digest}"}


def event(**changed: Any) -> bytes:
    return json.dumps(EVENT | {"data": EVENT["data"] | changed}).encode()


def test_a_signed_callback_is_read() -> None:
    body = event(status="completed", imbStatus="returned_to_sender")
    (report,) = adapter().read_events(body, signed(body))
    assert report.key == f"{EVENT['id']}:returned_to_sender"
    assert (report.token, report.provider_id) == (TOKEN, LETTER["id"])
    assert (report.status, report.state, report.code) == ("returned_to_sender", "returned", None)


def test_a_cancellation_tells_its_reason() -> None:
    body = event(status="cancelled", cancellation={"reason": "invalid_content", "note": "about Ana"})
    (report,) = adapter().read_events(body, signed(body))
    assert (report.state, report.code) == ("failed", "invalid_content")


def test_seconds_do_as_well_as_milliseconds_and_headers_have_no_case() -> None:
    body = event()
    headers = {name.upper(): value for name, value in signed(body, at=int(time.time())).items()}
    assert adapter().read_events(body, headers)


def test_the_default_format_a_signed_token_is_read_as_well() -> None:
    body = jwt.encode(EVENT | {"iat": int(time.time())}, SECRET, algorithm="HS256").encode()
    (report,) = adapter().read_events(body, {})
    assert (report.token, report.state) == (TOKEN, "accepted")


BODY = event()
HOUR = 3600
FORGERIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "no signature": (BODY, {}),
    "an empty one": (BODY, {"PostGrid-Signature": ""}),
    "half of one": (BODY, {"PostGrid-Signature": "t=1718932335515"}),
    "another secret": (BODY, signed(BODY, secret="another secret of more than thirty-two characters")),
    "another body": (event(status="completed"), signed(BODY)),
    "an empty body": (b"", signed(b"")),
    "a space more": (BODY + b" ", signed(BODY)),
    "an old one": (BODY, signed(BODY, at=int((time.time() - HOUR) * 1000))),
    "one of tomorrow": (BODY, signed(BODY, at=int((time.time() + HOUR) * 1000))),
    "a token of another secret": (jwt.encode(EVENT, SECRET[::-1], algorithm="HS256").encode(), {}),
    "a token that nobody signed": (jwt.encode(EVENT, "", algorithm="none").encode(), {}),
    "an old token": (jwt.encode(EVENT | {"exp": int(time.time()) - HOUR}, SECRET, algorithm="HS256").encode(), {}),
}


@pytest.mark.parametrize(("body", "headers"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_callback_is_not_believed(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(Forged):
        adapter().read_events(body, headers)


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(Forged):
        adapter(webhook_secret="").read_events(BODY, signed(BODY, secret=""))


@pytest.mark.parametrize(
    "body",
    [
        b"{not json",
        json.dumps(EVENT | {"id": "12"}).encode(),
        json.dumps(EVENT | {"type": None}).encode(),
        json.dumps(EVENT | {"data": None}).encode(),
        event(id="../letter"),
        event(status="flying"),
        event(status=None),
    ],
)
def test_a_signed_callback_that_is_not_as_documented_is_malformed_and_says_no_content(body: bytes) -> None:
    with pytest.raises(Malformed) as raised:
        adapter().read_events(body, signed(body))
    assert "flying" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(EVENT | {"type": "postcard.updated"}).encode(),
        json.dumps(EVENT | {"type": "letter.of_the_future"}).encode(),
        event(metadata={}),
        event(metadata=None),
        event(metadata={"token": "of somebody else"}),
    ],
)
def test_events_about_what_is_not_ours_say_nothing(body: bytes) -> None:
    assert adapter().read_events(body, signed(body)) == []
