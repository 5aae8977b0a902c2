"""The REST API, driven by the real twilio package: it must find nothing that is not Twilio's."""

import asyncio
import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from outreach.sandbox.config import Config
from outreach.sandbox.server import Sandbox
from tests.sandbox.conftest import PHONE, SENDER, TOKEN, client_of

SERVICE = "MG" + "0" * 32


def test_a_created_text_has_every_field_that_twilio_gives(twilio: Client, carrier: Sandbox) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="Hola, ¿qué tal? Llámenos.")
    assert re.fullmatch(r"SM[0-9a-f]{32}", message.sid)
    assert (message.status, message.direction, message.to, message.from_) == ("queued", "outbound-api", PHONE, SENDER)
    assert (message.body, message.num_segments, message.num_media) == ("Hola, ¿qué tal? Llámenos.", "1", "0")
    assert message.account_sid == carrier.config.account_sid
    assert (message.error_code, message.error_message, message.date_sent) == (None, None, None)
    assert before <= message.date_created <= datetime.now(UTC)
    path = f"/2010-04-01/Accounts/{message.account_sid}/Messages/{message.sid}"
    assert (message.uri, message.subresource_uris) == (f"{path}.json", {"media": f"{path}/Media.json"})
    assert list(message.media.list()) == []


# The twilio package signs in with a class that aiohttp has deprecated; which of them mends it is not ours to decide.
@pytest.mark.filterwarnings("ignore:.*(BasicAuth|'auth').* is deprecated:DeprecationWarning")
def test_the_asynchronous_client_creates_texts_concurrently(carrier: Sandbox) -> None:
    async def send_many() -> list[str]:
        async with AsyncTwilioHttpClient() as http:
            client = Client(carrier.config.account_sid, TOKEN, http_client=http)
            client.api.base_url = carrier.url
            creates = [
                client.messages.create_async(to=f"+1303555{number:04d}", from_=SENDER, body="one") for number in range(100, 200)
            ]
            return [message.sid for message in await asyncio.gather(*creates)]

    assert len(set(asyncio.run(send_many()))) == 100
    assert carrier.control.summary()["accepted_phones"] == 100


def test_a_messaging_service_starts_accepted_without_sender_and_gets_one_when_sent(twilio: Client, carrier: Sandbox) -> None:
    message = twilio.messages.create(to=PHONE, messaging_service_sid=SERVICE, body="hello")
    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
    carrier.control.wait_until_quiet()
    sent = message.fetch()
    assert (sent.status, sent.from_, sent.num_segments) == ("delivered", carrier.config.default_number, "1")
    assert sent.messaging_service_sid == SERVICE
    assert sent.date_sent is not None


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"to": "12345"}, 21211),
        ({"to": "+1202555012"}, 21211),
        ({"to": "+120255501234"}, 21211),
        ({"to": "+11125550123"}, 21211),
        ({"to": "not a number"}, 21211),
        ({"to": ""}, 21604),
        ({"to": SENDER}, 21266),
        ({"to": "+15005550001"}, 21211),
        ({"to": "+15005550004"}, 21610),
        ({"to": "+15005550009"}, 21614),
        ({"body": ""}, 21602),
        ({"body": "é" * 1601}, 21617),
        ({"from_": ""}, 21603),
        ({"from_": "+1abc"}, 21212),
        ({"from_": "+15005550007"}, 21606),
        ({"status_callback": "outreach.example.org/no-scheme"}, 21609),
        ({"validity_period": 36_001}, 20001),
    ],
)
def test_a_wrong_request_is_refused_with_twilios_code(
    twilio: Client, carrier: Sandbox, request_: dict[str, object], code: int
) -> None:
    with pytest.raises(TwilioRestException) as refused:
        twilio.messages.create(**({"to": PHONE, "from_": SENDER, "body": "hello"} | request_))
    assert (refused.value.status, refused.value.code) == (400, code)
    totals = carrier.control.summary()
    assert (totals["accepted"], totals["refused_by_code"]) == (0, {str(code): 1})


def test_the_longest_body_is_accepted_and_counted_in_segments(twilio: Client) -> None:
    assert twilio.messages.create(to=PHONE, from_=SENDER, body="é" * 1600).num_segments == "11"


def test_a_sender_that_the_account_does_not_own_is_refused(config: Config) -> None:
    owned = Config(auth_token=TOKEN, books=config.books, numbers=("+12025550199",))
    with Sandbox(owned) as carrier, pytest.raises(TwilioRestException) as refused:
        client_of(carrier).messages.create(to=PHONE, from_=SENDER, body="hello")
    assert refused.value.code == 21606


def test_a_phone_in_usual_spelling_is_understood(twilio: Client) -> None:
    assert twilio.messages.create(to="(202) 555-0123", from_=SENDER, body="hello").to == PHONE


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x"])
def test_a_wrong_token_is_answered_401_with_20003(carrier: Sandbox, token: str) -> None:
    client = client_of(carrier, token or "none")
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=PHONE, from_=SENDER, body="hello")
    assert (refused.value.status, refused.value.code) == (401, 20003)
    with pytest.raises(TwilioRestException):
        client.messages("SM" + "0" * 32).fetch()
    assert carrier.control.summary()["requests"] == 0


def test_credentials_can_be_checked_and_foreign_accounts_are_not_found(twilio: Client) -> None:
    assert twilio.api.account.fetch().status == "active"
    with pytest.raises(TwilioRestException) as missing:
        twilio.api.accounts("AC" + "1" * 32).messages.create(to=PHONE, from_=SENDER, body="hello")
    assert (missing.value.status, missing.value.code) == (404, 20404)


@pytest.mark.parametrize("sid", ["SM" + "0" * 32, "SM" + "f" * 32, "SMnothexadecimal"])
def test_an_unknown_sid_is_not_found(twilio: Client, sid: str) -> None:
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    with pytest.raises(TwilioRestException) as missing:
        twilio.messages(sid).fetch()
    assert (missing.value.status, missing.value.code) == (404, 20404)


def test_a_sid_cannot_be_guessed_from_its_number_in_the_books(twilio: Client) -> None:
    sid = twilio.messages.create(to=PHONE, from_=SENDER, body="hello").sid
    with pytest.raises(TwilioRestException):
        twilio.messages("SM" + "0" * 20 + sid[-12:]).fetch()


def test_texts_are_listed_by_phone_and_sender_newest_first(twilio: Client) -> None:
    sids = [twilio.messages.create(to=PHONE, from_=SENDER, body=f"{number}").sid for number in range(3)]
    twilio.messages.create(to="+13035550123", from_=SENDER, body="other phone")
    twilio.messages.create(to=PHONE, from_="+12025550101", body="other sender")
    assert [message.sid for message in twilio.messages.list(to=PHONE, from_=SENDER)] == sids[::-1]
    assert len(twilio.messages.list(to=PHONE)) == 4
    assert len(twilio.messages.list(from_=SENDER)) == 4
    assert twilio.messages.list(to="+13035550124") == []


def test_pages_hold_every_text_once_while_new_ones_arrive(twilio: Client) -> None:
    sids = [twilio.messages.create(to=PHONE, from_=SENDER, body=f"{number}").sid for number in range(7)]
    page = twilio.messages.page(to=PHONE, page_size=3)
    seen = [message.sid for message in page]
    twilio.messages.create(to=PHONE, from_=SENDER, body="came in between")
    while (page := page.next_page()) is not None:
        seen += [message.sid for message in page]
    assert seen == sids[::-1]


def test_a_page_leads_back_to_the_one_before(twilio: Client) -> None:
    for number in range(7):
        twilio.messages.create(to=PHONE, from_=SENDER, body=f"{number}")
    first = twilio.messages.page(page_size=3)
    bodies = [message.body for message in first]
    second = first.next_page()
    assert [message.body for message in second.previous_page()] == bodies == ["6", "5", "4"]


def test_a_page_never_holds_more_than_a_thousand_texts(twilio: Client, carrier: Sandbox) -> None:
    page = twilio.request(
        "GET",
        f"{carrier.url}/2010-04-01/Accounts/{carrier.config.account_sid}/Messages.json",
        params={"PageSize": 5000},
    )
    assert '"page_size": 1000' in page.text


def test_the_date_of_sending_finds_no_text_that_is_still_queued(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.set(paused=True)
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    today = datetime.now(UTC)
    assert twilio.messages.list(to=PHONE, date_sent=today.date()) == []
    carrier.control.set(paused=False)
    carrier.control.wait_until_quiet()
    assert len(twilio.messages.list(to=PHONE, date_sent=today.date())) == 1


@pytest.mark.parametrize(
    ("after_minutes", "before_minutes", "found"),
    [(-5, None, 1), (5, None, 0), (None, 5, 1), (None, -5, 0), (-5, 5, 1), (None, None, 1)],
)
def test_texts_are_found_by_the_time_they_were_sent(
    twilio: Client, carrier: Sandbox, after_minutes: int | None, before_minutes: int | None, found: int
) -> None:
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    carrier.control.wait_until_quiet()
    now = datetime.now(UTC)
    limits = {}
    if after_minutes is not None:
        limits["date_sent_after"] = now + timedelta(minutes=after_minutes)
    if before_minutes is not None:
        limits["date_sent_before"] = now + timedelta(minutes=before_minutes)
    assert len(twilio.messages.list(to=PHONE, **limits)) == found


@pytest.mark.parametrize("query", [{"DateSent": "soon"}, {"PageSize": "many"}, {"PageToken": "nonsense"}])
def test_a_list_that_cannot_be_made_is_refused(twilio: Client, carrier: Sandbox, query: dict[str, str]) -> None:
    url = f"{carrier.url}/2010-04-01/Accounts/{carrier.config.account_sid}/Messages.json"
    assert twilio.request("GET", url, params=query).status_code == 400


def test_a_text_is_redacted_only_once_it_has_come_to_rest(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.set(paused=True)
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    with pytest.raises(TwilioRestException) as refused:
        message.update(body="")
    assert refused.value.code == 20009
    carrier.control.set(paused=False)
    carrier.control.wait_until_quiet()
    assert message.update(body="").body == ""
    assert message.fetch().body == ""
    # The books can still be compared with what was sent.
    assert next(carrier.control.messages())["body_sha256"] == hashlib.sha256(b"hello").hexdigest()


def test_a_text_that_was_sent_cannot_be_reworded(twilio: Client, carrier: Sandbox) -> None:
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    carrier.control.wait_until_quiet()
    with pytest.raises(TwilioRestException):
        message.update(body="something else")
    assert message.fetch().body == "hello"


def test_a_scheduled_text_waits_and_can_be_called_back(twilio: Client, carrier: Sandbox) -> None:
    message = twilio.messages.create(
        to=PHONE,
        messaging_service_sid=SERVICE,
        body="later",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(hours=1),
    )
    assert message.status == "scheduled"
    assert message.update(status="canceled").status == "canceled"
    carrier.control.wait_until_quiet()
    assert message.fetch().status == "canceled"


def test_a_text_that_was_not_scheduled_cannot_be_called_back(twilio: Client) -> None:
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    with pytest.raises(TwilioRestException) as refused:
        message.update(status="canceled")
    assert refused.value.code == 30409


def test_a_deleted_text_is_gone_for_the_api_and_still_counted_in_the_books(twilio: Client, carrier: Sandbox) -> None:
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    carrier.control.wait_until_quiet()
    assert message.delete() is True
    with pytest.raises(TwilioRestException):
        message.fetch()
    assert twilio.messages.list(to=PHONE) == []
    assert carrier.control.summary()["accepted"] == 1


def test_smart_encoding_changes_the_text_but_not_the_hash_of_what_was_asked(twilio: Client, carrier: Sandbox) -> None:
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="It’s “new”…", smart_encoded=True)
    assert message.body == 'It\'s "new"...'
    assert next(carrier.control.messages())["body_sha256"] == hashlib.sha256("It’s “new”…".encode()).hexdigest()


def test_a_text_whose_validity_ends_before_it_leaves_fails(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.set(status_delay_ms=1500)
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="hello", validity_period=1)
    carrier.control.wait_until_quiet()
    assert (message.fetch().status, message.fetch().error_code) == ("failed", 30036)
