"""The mail house, through the adapter and the real package: one letter per token, its life, its callbacks, its faults."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

import pytest
from postgrid import AsyncPostGrid, AuthenticationError, BadRequestError, NotFoundError, UnprocessableEntityError

from outreach.providers.contract import Forged, Letter, Lost, Receipt, Refusal, Report, Standing, Unreachable, Verdict
from outreach.providers.postgrid import PostGridLetters
from outreach.sandbox.config import Config, ConfigError
from outreach.sandbox.control import ControlError
from outreach.sandbox.server import Sandbox
from tests.listening import QuietHandler, listening
from tests.sandbox.conftest import wait_for

KEY = "test_sk_sandbox"
SECRET = "a webhook secret of thirty-two characters"
SENDER = ("Letter Line", "PO Box 5550", "Springfield, IL 62701")
PDF = b"%PDF-1.7 a sample letter"
HOUR_MS = 3_600_000

T = TypeVar("T")


@dataclass
class Desk:
    """Our side of the webhooks: reads each with the adapter, and answers 200 unless told otherwise."""

    url: str = ""
    reports: list[Report] = field(default_factory=list)
    forged: int = 0
    answers: list[int] = field(default_factory=list)

    def states(self) -> list[str]:
        return [report.status for report in self.reports]


@pytest.fixture
def desk() -> Iterator[Desk]:
    state = Desk()

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802  # named by the standard library
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = state.answers.pop(0) if state.answers else 200
            try:
                state.reports += adapter("http://127.0.0.1:9").read_events(body, dict(self.headers))
            except Forged:
                state.forged += 1
                status = 403
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with listening(Handler) as url:
        state.url = f"{url}/letters"
        yield state


@pytest.fixture
def settings(tmp_path: Path, desk: Desk) -> Config:
    return Config(
        auth_token="token",
        books=tmp_path / "books.sqlite",
        post_api_key=KEY,
        post_webhook_secret=SECRET,
        post_webhook_url=desk.url,
        letter_delay_ms=5,
        retry_delay_ms=10,
    )


@pytest.fixture
def house(settings: Config) -> Iterator[Sandbox]:
    with Sandbox(settings) as sandbox:
        yield sandbox


def adapter(url: str, **changed: Any) -> PostGridLetters:
    values: dict[str, Any] = {"api_key": KEY, "webhook_secret": SECRET, "api_url": url, "sender": SENDER, "timeout": 20.0}
    return PostGridLetters(**(values | changed))


def letter(token: UUID | None = None, street: str = "12 Sample Street", pdf: bytes = PDF) -> Letter:
    return Letter(token or uuid4(), ("Ana Example", street, "Springfield, IL 62701"), "US", pdf, 1)


def talk(house: Sandbox, conversation: Callable[[PostGridLetters], Awaitable[T]], **changed: Any) -> T:
    async def run() -> T:
        async with adapter(house.url, **changed) as letters:
            return await conversation(letters)

    return asyncio.run(run())


def send(house: Sandbox, sent: Letter, **changed: Any) -> Receipt:
    return talk(house, lambda letters: letters.send(sent), **changed)


def find(house: Sandbox, token: UUID) -> list[Standing]:
    return talk(house, lambda letters: letters.find(Lost(token, "", datetime.now(UTC))))


def booked(house: Sandbox) -> list[dict[str, Any]]:
    return list(house.control.letters())


def package(house: Sandbox, key: str = KEY) -> AsyncPostGrid:
    return AsyncPostGrid(print_mail_api_key=key, base_url=house.url, max_retries=0)


def test_a_letter_is_kept_as_it_was_sent(house: Sandbox) -> None:
    sent = letter()
    receipt = send(house, sent)
    assert receipt.verdict == Verdict.ACCEPTED
    (kept,) = booked(house)
    assert (kept["id"], kept["token"], kept["key"]) == (receipt.provider_id, str(sent.token), str(sent.token))
    assert (kept["pdf_sha256"], kept["bytes"]) == (hashlib.sha256(PDF).hexdigest(), len(PDF))
    assert kept["address"] == "post:12 Sample Street, Springfield, IL, 62701"


def test_a_letter_of_many_pages_is_taken(house: Sandbox) -> None:
    pdf = PDF + bytes(3_000_000)
    assert send(house, letter(pdf=pdf)).verdict == Verdict.ACCEPTED
    assert booked(house)[0]["pdf_sha256"] == hashlib.sha256(pdf).hexdigest()


def test_the_same_letter_under_the_same_token_is_one_letter_however_often_it_is_sent(house: Sandbox) -> None:
    sent = letter()

    async def many(letters: PostGridLetters) -> list[Receipt]:
        return await asyncio.gather(*(letters.send(sent) for _ in range(5)))

    receipts = talk(house, many)
    assert len({receipt.provider_id for receipt in receipts}) == 1
    assert len(booked(house)) == 1


def test_another_letter_under_the_same_token_is_refused(house: Sandbox) -> None:
    sent = letter()
    send(house, sent)
    assert send(house, replace(sent, pdf=PDF + b"!")).verdict == Verdict.REFUSED
    assert len(booked(house)) == 1


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "truncated", "cut_off", "wrong_type", "no_sid"])
def test_a_letter_whose_answer_was_lost_is_found_by_its_token_and_may_be_sent_again(house: Sandbox, fault: str) -> None:
    house.control.fault(fault, to="post:*", next=1)
    sent = letter()
    assert send(house, sent).verdict == Verdict.UNKNOWN
    (standing,) = find(house, sent.token)
    assert standing.token == sent.token
    again = send(house, sent)
    assert (again.verdict, again.provider_id) == (Verdict.ACCEPTED, standing.provider_id)
    assert [kept["answer"] for kept in booked(house)] == [fault]


@pytest.mark.parametrize(
    ("fault", "options", "verdict", "refusal"),
    [
        ("refuse", {"code": 21211}, Verdict.REFUSED, Refusal.BAD_ADDRESS),
        ("rate_limit", {"retry_after": 3}, Verdict.REFUSED, Refusal.BACK_OFF),
        ("error_before", {"http_status": 503}, Verdict.UNKNOWN, None),
        ("drop_before", {}, Verdict.UNKNOWN, None),
    ],
)
def test_a_letter_that_was_turned_away_is_not_in_the_books(
    house: Sandbox, fault: str, options: dict[str, int], verdict: Verdict, refusal: Refusal | None
) -> None:
    house.control.fault(fault, to="post:*", **options)
    sent = letter()
    receipt = send(house, sent)
    assert (receipt.verdict, receipt.refusal, receipt.retry_after) == (verdict, refusal, options.get("retry_after"))
    assert booked(house) == []
    assert find(house, sent.token) == []


def test_a_slow_answer_is_an_unknown_one(house: Sandbox) -> None:
    house.control.fault("slow", to="post:*", ms=600)
    assert send(house, letter(), timeout=0.2).verdict == Verdict.UNKNOWN
    assert len(booked(house)) == 1


def test_faults_of_letters_leave_texts_alone_and_choose_by_address(house: Sandbox) -> None:
    house.control.fault("refuse", code=21211, to="post:*Sample Street*")
    assert send(house, letter()).verdict == Verdict.REFUSED
    assert send(house, letter(street="7 Other Road")).verdict == Verdict.ACCEPTED
    house.control.clear_faults()
    house.control.fault("refuse", code=21211, to="+1*")
    assert send(house, letter()).verdict == Verdict.ACCEPTED
    assert house.control.summary()["requests"] == 0


def test_books_that_cannot_be_read_are_unreachable(house: Sandbox) -> None:
    house.control.fault("read_error")
    with pytest.raises(Unreachable):
        find(house, uuid4())


LIFE = ["ready", "printing", "processed_for_delivery", "entered_mail_stream", "out_for_delivery", "completed"]


def test_a_letter_goes_its_way_and_each_step_is_told_with_its_token(house: Sandbox, desk: Desk) -> None:
    sent = letter()
    receipt = send(house, sent)
    house.control.wait_until_quiet()
    # PostGrid's last status is a guess and comes after the scan, which stays the more telling word.
    assert desk.states() == [*LIFE[:-1], "out_for_delivery"]
    assert {(report.token, report.provider_id) for report in desk.reports} == {(sent.token, receipt.provider_id)}
    assert len({report.key for report in desk.reports}) == len(LIFE)
    (standing,) = find(house, sent.token)
    assert (standing.status, standing.state) == ("out_for_delivery", "delivered")


@pytest.mark.parametrize(
    ("fate", "word", "state"),
    [
        ("delivered", "out_for_delivery", "delivered"),
        ("sent", "completed", "sent"),
        ("undelivered", "returned_to_sender", "returned"),
        ("failed", "cancelled", "failed"),
    ],
)
def test_a_rule_decides_what_becomes_of_a_letter(house: Sandbox, desk: Desk, fate: str, word: str, state: str) -> None:
    house.control.fault("fate", to="post:*", status=fate)
    sent = letter()
    send(house, sent)
    house.control.wait_until_quiet()
    (standing,) = find(house, sent.token)
    assert (standing.status, standing.state) == (word, state)
    assert (desk.reports[-1].status, desk.reports[-1].state) == (word, state)


def test_a_letter_to_nowhere_comes_back_after_it_was_called_completed(house: Sandbox, desk: Desk) -> None:
    send(house, letter(street="1 Nowhere Lane"))
    house.control.wait_until_quiet()
    assert desk.states()[-1] == "returned_to_sender"
    assert booked(house)[0]["status"] == "completed"


def test_with_a_population_the_same_few_addresses_are_old_in_every_run(settings: Config) -> None:
    streets = [f"{number} Sample Street" for number in range(1, 61)]

    async def all_of_them(letters: PostGridLetters) -> None:
        await asyncio.gather(*(letters.send(letter(street=street)) for street in streets))

    def returned(name: str) -> set[str]:
        quiet = replace(settings, books=settings.books.with_name(name), post_webhook_url=None, population=True)
        with Sandbox(quiet) as house:
            talk(house, all_of_them)
            house.control.wait_until_quiet()
            return {kept["address"] for kept in booked(house) if kept["scan"] == "returned_to_sender"}

    first = returned("first")
    assert 0 < len(first) < 10
    assert returned("second") == first


def test_a_letter_can_be_called_back_while_it_is_ready_and_no_longer(house: Sandbox, desk: Desk) -> None:
    house.control.set(letter_delay_ms=HOUR_MS)
    early, late = (str(send(house, letter()).provider_id) for _ in range(2))
    house.control.move_letter(late, "printing")

    async def call_back(letters: PostGridLetters) -> list[bool]:
        return [
            await letters.cancel(early),
            await letters.cancel(early),
            await letters.cancel(late),
            await letters.cancel("letter_0"),
        ]

    assert talk(house, call_back) == [True, True, False, False]
    assert [kept["status"] for kept in booked(house)] == ["cancelled", "printing"]
    wait_for(lambda: "cancelled" in desk.states())
    cancelled = next(report for report in desk.reports if report.status == "cancelled")
    assert (cancelled.provider_id, cancelled.state, cancelled.code) == (early, "failed", "user_initiated")


def test_a_letter_that_was_called_back_goes_nowhere_any_more(house: Sandbox, desk: Desk) -> None:
    house.control.set(letter_delay_ms=300)
    identity = str(send(house, letter()).provider_id)
    assert talk(house, lambda letters: letters.cancel(identity))
    time.sleep(0.5)
    house.control.wait_until_quiet()
    assert booked(house)[0]["status"] == "cancelled"
    assert "printing" not in desk.states()


def test_whether_a_letter_was_called_back_is_not_claimed_when_nobody_can_say(house: Sandbox) -> None:
    house.control.set(letter_delay_ms=HOUR_MS)
    identity = str(send(house, letter()).provider_id)
    house.control.fault("read_error")
    with pytest.raises(Unreachable):
        talk(house, lambda letters: letters.cancel(identity))


def test_a_letter_is_moved_by_hand_and_what_was_planned_for_it_is_dropped(house: Sandbox, desk: Desk) -> None:
    house.control.set(letter_delay_ms=HOUR_MS)
    sent = letter()
    identity = str(send(house, sent).provider_id)
    wait_for(lambda: desk.states() == ["ready"])
    for word in ("processed_for_delivery", "returned_to_sender"):
        house.control.move_letter(identity, word)
    house.control.wait_until_quiet()
    assert desk.states() == ["ready", "processed_for_delivery", "returned_to_sender"]
    assert find(house, sent.token)[0].state == "returned"
    with pytest.raises(ControlError, match="Words are"):
        house.control.move_letter(identity, "lost")


def test_a_callback_that_was_not_taken_is_told_again_under_the_same_key(house: Sandbox, desk: Desk) -> None:
    house.control.set(letter_delay_ms=HOUR_MS)
    desk.answers = [500, 204]  # PostGrid takes nothing but 200 for an answer.
    send(house, letter())
    wait_for(lambda: len(desk.reports) == 3)
    assert len({report.key for report in desk.reports}) == 1


@pytest.mark.parametrize(
    ("fault", "count", "forged"), [("doubled", 2 * len(LIFE), 0), ("missing", 0, 0), ("bad_signature", 0, 4 * len(LIFE))]
)
def test_callbacks_go_wrong_on_demand(house: Sandbox, desk: Desk, fault: str, count: int, forged: int) -> None:
    house.control.fault(fault, to="post:*")
    send(house, letter())
    house.control.wait_until_quiet()
    assert (len(desk.reports), desk.forged) == (count, forged)


def test_the_default_format_is_understood_too(settings: Config, desk: Desk) -> None:
    with Sandbox(replace(settings, post_webhook_format="jwt")) as house:
        send(house, letter())
        house.control.wait_until_quiet()
    assert len(desk.reports) == len(LIFE)
    assert desk.forged == 0


def test_letters_and_what_is_still_to_happen_to_them_outlive_a_restart(settings: Config, desk: Desk) -> None:
    with Sandbox(replace(settings, letter_delay_ms=300)) as house:
        sent = letter()
        first = send(house, sent)
        house.stop()
        house.start()
        assert send(house, sent).provider_id == first.provider_id
        house.control.wait_until_quiet()
    assert desk.states()[-1] == "out_for_delivery"


def test_new_books_hold_no_letters(house: Sandbox) -> None:
    send(house, letter())
    house.control.reset()
    assert booked(house) == []


def test_nobody_is_let_in_without_the_key(house: Sandbox, settings: Config) -> None:
    assert send(house, letter(), api_key="test_sk_other").refusal == Refusal.CONFIGURATION

    async def look() -> None:
        async with package(house, key="test_sk_other") as client:
            with pytest.raises(AuthenticationError):
                await client.print_mail.letters.list()

    asyncio.run(look())
    with Sandbox(replace(settings, books=settings.books.with_name("other"), post_api_key="")) as closed:
        assert send(closed, letter()).refusal == Refusal.CONFIGURATION
        with pytest.raises(HTTPError, match="401"):
            urlopen(Request(f"{closed.url}/print-mail/v1/letters", headers={"x-api-key": ""}))  # noqa: S310  Our own address.


def test_what_is_no_letter_is_refused_as_postgrid_documents_it(house: Sandbox) -> None:
    whole: dict[str, Any] = {"first_name": "Ana", "address_line1": "12 Sample Street", "country_code": "US"}

    async def mistakes() -> None:
        async with package(house) as client:
            create: Any = client.print_mail.letters.create  # With plain dicts, where its types want dicts of their own.
            with pytest.raises(BadRequestError, match="invalid_pdf_error"):
                await create(to=whole, from_=whole, pdf=("a.pdf", b"no PDF"))
            with pytest.raises(BadRequestError, match="to is not a complete contact"):
                await create(to=whole | {"address_line1": ""}, from_=whole, pdf=("a.pdf", PDF))
            with pytest.raises(NotFoundError, match="letter_not_found_error"):
                await client.print_mail.letters.retrieve("letter_0")
            await create(to=whole, from_=whole, pdf=("a.pdf", PDF), idempotency_key="1")
            with pytest.raises(UnprocessableEntityError):
                await create(to=whole, from_=whole, pdf=("a.pdf", PDF + b"!"), idempotency_key="1")

    asyncio.run(mistakes())


def test_a_secret_contact_is_shown_to_nobody_but_the_printer_and_pages_follow_each_other(house: Sandbox) -> None:
    for _ in range(12):
        send(house, letter())

    async def look() -> None:
        async with package(house) as client:
            found = [each async for each in client.print_mail.letters.list(limit=5)]
            assert len({each.id for each in found}) == 12
            assert "Ana" not in found[0].to_json()
            assert found[0].to.secret
            assert found[0].from_.address_line1 == "PO Box 5550"

    asyncio.run(look())


def test_a_mail_house_that_cannot_sign_does_not_start(settings: Config) -> None:
    with pytest.raises(ConfigError, match="POSTGRID_WEBHOOK_SECRET"):
        replace(settings, post_webhook_secret="")
    with pytest.raises(ConfigError, match="json or jwt"):
        replace(settings, post_webhook_format="xml")
