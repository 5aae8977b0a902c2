"""Faults on demand, seen through the real client: what spoils an answer must not spoil the books."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest
import requests
from aiohttp import ClientError
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from outreach.sandbox.books import Books
from outreach.sandbox.config import Config
from outreach.sandbox.control import ControlError
from outreach.sandbox.faults import ON_CREATE, Fault, Rule, RuleError, Rules, draw, parse
from outreach.sandbox.server import Sandbox
from tests.sandbox.conftest import PHONE, SENDER, TOKEN, Receiver, client_of


def send(twilio: Client, to: str = PHONE, callback: str | None = None) -> str:
    options = {"status_callback": callback} if callback else {}
    return str(twilio.messages.create(to=to, from_=SENDER, body="hello", **options).sid)


@pytest.mark.parametrize(
    ("rule", "status", "code", "accepted"),
    [
        ({"fault": "refuse", "code": 21211}, 400, 21211, 0),
        ({"fault": "refuse", "code": 30007}, 400, 30007, 0),
        ({"fault": "refuse", "code": 20003}, 401, 20003, 0),
        ({"fault": "refuse", "code": 21611, "http_status": 400}, 400, 21611, 0),
        ({"fault": "rate_limit"}, 429, 20429, 0),
        ({"fault": "error_before"}, 500, 20500, 0),
        ({"fault": "error_before", "http_status": 503}, 503, 20500, 0),
        ({"fault": "error_after"}, 500, 20500, 1),
        ({"fault": "error_after", "http_status": 502}, 502, 20500, 1),
    ],
)
def test_an_error_answer_says_nothing_of_what_the_books_hold(
    twilio: Client, carrier: Sandbox, rule: dict[str, object], status: int, code: int, accepted: int
) -> None:
    carrier.control.fault(**rule)  # type: ignore[arg-type]
    with pytest.raises(TwilioRestException) as failed:
        send(twilio)
    assert (failed.value.status, failed.value.code) == (status, code)
    totals = carrier.control.summary()
    assert (totals["accepted"], totals["refused"], totals["requests"]) == (accepted, 1 - accepted, 1)
    assert len(twilio.messages.list(to=PHONE)) == accepted


@pytest.mark.parametrize(("fault", "accepted"), [("drop_before", 0), ("drop_after", 1), ("cut_off", 1)])
def test_a_dropped_connection_is_an_error_of_the_connection(twilio: Client, carrier: Sandbox, fault: str, accepted: int) -> None:
    carrier.control.fault(fault)
    with pytest.raises(requests.RequestException):
        send(twilio)
    totals = carrier.control.summary()
    assert (totals["accepted"], totals["refused"]) == (accepted, 1 - accepted)
    assert totals["unanswered"] == ({fault: 1} if accepted else {})


@pytest.mark.filterwarnings("ignore:.*(BasicAuth|'auth').* is deprecated:DeprecationWarning")
@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "cut_off"])
def test_the_asynchronous_client_sees_the_connection_drop_too(carrier: Sandbox, fault: str) -> None:
    carrier.control.fault(fault)

    async def send_one() -> None:
        async with AsyncTwilioHttpClient() as http:
            client = Client(carrier.config.account_sid, TOKEN, http_client=http)
            client.api.base_url = carrier.url
            await client.messages.create_async(to=PHONE, from_=SENDER, body="hello")

    with pytest.raises(ClientError):
        asyncio.run(send_one())


@pytest.mark.parametrize("fault", ["truncated", "wrong_type"])
def test_an_answer_that_is_not_json_hides_an_accepted_text(twilio: Client, carrier: Sandbox, fault: str) -> None:
    carrier.control.fault(fault)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        send(twilio)
    assert carrier.control.summary()["unanswered"] == {fault: 1}


def test_an_answer_without_a_sid_hides_an_accepted_text(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.fault("no_sid")
    assert twilio.messages.create(to=PHONE, from_=SENDER, body="hello").sid is None
    assert carrier.control.summary()["accepted"] == 1


def test_a_slow_answer_comes_after_the_text_is_in_the_books(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.fault("slow", ms=200)
    start = time.monotonic()
    send(twilio)
    assert time.monotonic() - start >= 0.2
    assert carrier.control.summary()["unanswered"] == {}


def test_too_many_requests_can_say_when_to_come_back(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.fault("rate_limit", retry_after=7)
    url = f"{carrier.url}/2010-04-01/Accounts/{carrier.config.account_sid}/Messages.json"
    answer = twilio.request("POST", url, data={"To": PHONE, "From": SENDER, "Body": "hello"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_reads_can_fail_while_texts_are_accepted(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.fault("read_error", http_status=503)
    sid = send(twilio)
    with pytest.raises(TwilioRestException) as failed:
        twilio.messages(sid).fetch()
    assert failed.value.status == 503
    carrier.control.clear_faults()
    assert twilio.messages(sid).fetch().sid == sid


def test_a_rule_for_the_next_two_texts_strikes_twice(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.fault("error_before", next=2)
    for _ in range(2):
        with pytest.raises(TwilioRestException):
            send(twilio)
    send(twilio)
    assert carrier.control.faults() == []


def test_a_rule_for_some_phones_leaves_the_others_alone(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.fault("refuse", code=21614, to="+1303*")
    send(twilio)
    with pytest.raises(TwilioRestException):
        send(twilio, "+13035550123")
    assert [rule["hits"] for rule in carrier.control.faults()] == [1]


def test_a_removed_rule_strikes_no_more(twilio: Client, carrier: Sandbox) -> None:
    number = carrier.control.fault("error_before")
    carrier.control.remove_fault(number)
    send(twilio)


@pytest.mark.parametrize(
    ("status", "code", "reported"),
    [
        ("undelivered", 30003, ["sent", "undelivered"]),
        ("undelivered", 30007, ["sent", "undelivered"]),
        ("failed", 30008, ["failed"]),
        ("sent", None, ["sent"]),
    ],
)
def test_a_rule_decides_what_becomes_of_a_text(
    twilio: Client, carrier: Sandbox, receiver: Receiver, status: str, code: int | None, reported: list[str]
) -> None:
    carrier.control.fault("fate", status=status, code=code)
    sid = send(twilio, callback=f"{receiver.url}/cb")
    carrier.control.wait_until_quiet()
    assert receiver.statuses("/cb") == reported
    codes = {webhook.fields["MessageStatus"]: webhook.fields.get("ErrorCode") for webhook in receiver.received}
    assert codes[status] == (str(code) if code else None)
    message = twilio.messages(sid).fetch()
    assert (message.status, message.error_code) == (status, code)


@pytest.mark.parametrize(
    ("rule", "reported"),
    [
        ({"fault": "missing"}, []),
        ({"fault": "missing", "statuses": ["delivered"]}, ["sent"]),
        ({"fault": "missing", "statuses": ["sent"]}, ["delivered"]),
        ({"fault": "doubled", "statuses": ["sent"]}, ["sent", "sent", "delivered"]),
        ({"fault": "doubled"}, ["sent", "sent", "delivered", "delivered"]),
    ],
)
def test_callbacks_can_be_left_out_or_doubled(
    twilio: Client, carrier: Sandbox, receiver: Receiver, rule: dict[str, object], reported: list[str]
) -> None:
    carrier.control.fault(**rule)  # type: ignore[arg-type]
    sid = send(twilio, callback=f"{receiver.url}/cb")
    carrier.control.wait_until_quiet()
    assert receiver.statuses("/cb") == reported
    assert twilio.messages(sid).fetch().status == "delivered"


def test_a_doubled_callback_carries_the_same_idempotency_token(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    carrier.control.fault("doubled", statuses=["delivered"])
    send(twilio, callback=f"{receiver.url}/cb")
    carrier.control.wait_until_quiet()
    tokens = Counter(
        (webhook.fields["MessageStatus"], webhook.headers["I-Twilio-Idempotency-Token"]) for webhook in receiver.received
    )
    assert sorted(tokens.values()) == [1, 2]


def test_the_final_callback_can_overtake_the_earlier_one(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    carrier.control.fault("reordered", ms=500)
    send(twilio, callback=f"{receiver.url}/cb")
    carrier.control.wait_until_quiet()
    assert receiver.arrived("/cb") == ["delivered", "sent"]


def test_a_late_callback_comes_after_the_status_can_be_fetched(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    carrier.control.fault("late", ms=60_000)
    sid = send(twilio, callback=f"{receiver.url}/cb")
    carrier.control.wait_until_quiet(within=10)
    assert (twilio.messages(sid).fetch().status, receiver.received) == ("delivered", [])


def test_a_wrongly_signed_callback_is_refused_by_twilios_validator(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    carrier.control.fault("bad_signature", statuses=["delivered"])
    send(twilio, callback=f"{receiver.url}/cb")
    carrier.control.wait_until_quiet()
    assert {w.fields["MessageStatus"]: w.genuine for w in receiver.received} == {"sent": True, "delivered": False}


def outcomes(books: Path, seed: int, phones: list[str]) -> list[bool]:
    with Sandbox(Config(auth_token=TOKEN, books=books, seed=seed)) as carrier:
        carrier.control.fault("error_before", chance=0.5)
        client = client_of(carrier)
        result = {}
        for phone in phones:
            try:
                send(client, phone)
                result[phone] = True
            except TwilioRestException:
                result[phone] = False
        client.http_client.session.close()
        return [result[phone] for phone in sorted(phones)]


def test_the_same_seed_strikes_the_same_phones_in_whatever_order_they_come(tmp_path: Path) -> None:
    phones = [f"+1303555{number:04d}" for number in range(100, 140)]
    first = outcomes(tmp_path / "1", 7, phones)
    assert first == outcomes(tmp_path / "2", 7, phones[::-1])
    assert first != outcomes(tmp_path / "3", 8, phones)
    assert 8 <= sum(first) <= 32


def test_a_phone_that_was_struck_by_chance_is_not_struck_for_ever(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.fault("error_before", chance=0.5)
    results = []
    for _ in range(20):
        try:
            send(twilio)
            results.append(True)
        except TwilioRestException:
            results.append(False)
    assert {True, False} == set(results)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"fault": "nonsense"}, "Faults are: refuse"),
        ({"fault": "refuse"}, "needs a Twilio error code"),
        ({"fault": "slow", "chance": 2}, "between 0 and 1"),
        ({"fault": "slow", "next": 0}, "1 or more"),
        ({"fault": "slow", "ms": -1}, "negative"),
        ({"fault": "fate", "status": "read"}, "final status is one of"),
        ({"fault": "error_after", "http_status": 200}, "between 400 and 599"),
        ({"fault": "slow", "colour": "red"}, "no field colour"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_a_sentence(carrier: Sandbox, rule: dict[str, object], sentence: str) -> None:
    with pytest.raises(RuleError, match=sentence):
        parse(rule)
    with pytest.raises(ControlError, match=sentence):
        carrier.control.fault(**rule)  # type: ignore[arg-type]


def test_rules_outlive_a_restart(tmp_path: Path) -> None:
    async def keep() -> None:
        books = Books(tmp_path / "books")
        Rules(books, 1).add(Rule(fault=Fault.MISSING, statuses=("sent",), to="+1303*", chance=0.25))
        books.close()

    async def read() -> list[Rule]:
        books = Books(tmp_path / "books")
        rules = list(Rules(books, 1).all().values())
        books.close()
        return rules

    asyncio.run(keep())
    assert asyncio.run(read()) == [Rule(fault=Fault.MISSING, statuses=("sent",), to="+1303*", chance=0.25)]


def test_draws_are_spread_evenly_and_depend_on_every_key() -> None:
    shares = [draw(1, number) for number in range(4000)]
    assert all(0 <= share < 1 for share in shares)
    assert 0.45 < sum(share < 0.5 for share in shares) / 4000 < 0.55
    assert draw(1, 23) != draw(12, 3)


def test_every_fault_of_a_create_has_its_place() -> None:
    assert Fault.READ_ERROR not in ON_CREATE
    assert {Fault.REFUSE, Fault.NO_SID} < ON_CREATE
