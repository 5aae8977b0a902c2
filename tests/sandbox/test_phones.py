"""The other end: phones answer, Twilio obeys STOP before anybody else, and TwiML answers reach the phone."""

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.twiml.messaging_response import MessagingResponse

from outreach.sandbox import opt_out
from outreach.sandbox.reading import conversation
from outreach.sandbox.server import Sandbox
from tests.sandbox.conftest import PHONE, SENDER, Receiver


def send(twilio: Client, body: str = "hello") -> str:
    return str(twilio.messages.create(to=PHONE, from_=SENDER, body=body).sid)


def bodies(carrier: Sandbox) -> list[tuple[str, str]]:
    return [(text.direction, text.body) for text in conversation(carrier.config.books, PHONE, limit=50)]


def test_an_answer_reaches_our_webhook_signed(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    send(twilio)
    sid = carrier.control.answer(PHONE, "  Sí, gracias\n")
    carrier.control.wait_until_quiet()
    (webhook,) = receiver.at("/inbound")
    assert webhook.genuine
    assert webhook.fields["MessageSid"] == webhook.fields["SmsSid"] == webhook.fields["SmsMessageSid"] == sid
    assert (webhook.fields["From"], webhook.fields["To"]) == (PHONE, SENDER)
    assert webhook.fields["Body"] == "  Sí, gracias\n"
    assert webhook.fields["AccountSid"] == carrier.config.account_sid
    assert (webhook.fields["NumMedia"], webhook.fields["NumSegments"]) == ("0", "1")
    assert (webhook.fields["FromCountry"], webhook.fields["SmsStatus"]) == ("US", "received")
    assert "OptOutType" not in webhook.fields


def test_an_answer_can_be_fetched_and_listed_as_inbound(twilio: Client, carrier: Sandbox) -> None:
    send(twilio)
    message = twilio.messages(carrier.control.answer(PHONE, "1")).fetch()
    assert (message.direction, message.status, message.from_, message.to) == ("inbound", "received", PHONE, SENDER)
    assert [listed.sid for listed in twilio.messages.list(from_=PHONE)] == [message.sid]


@pytest.mark.parametrize("word", opt_out.WORDS["STOP"])
def test_every_stop_word_blocks_the_sender_and_still_reaches_the_webhook(
    twilio: Client, carrier: Sandbox, receiver: Receiver, word: str
) -> None:
    send(twilio)
    carrier.control.answer(PHONE, f" {word.lower()} ")
    with pytest.raises(TwilioRestException) as refused:
        send(twilio)
    assert (refused.value.status, refused.value.code) == (400, 21610)
    carrier.control.wait_until_quiet()
    assert receiver.at("/inbound")[0].fields["OptOutType"] == "STOP"


@pytest.mark.parametrize("body", ["please STOP", "Stop.", "ALTO", "no more", "STOPPED"])
def test_other_texts_do_not_block(twilio: Client, carrier: Sandbox, receiver: Receiver, body: str) -> None:
    send(twilio)
    carrier.control.answer(PHONE, body)
    send(twilio)
    carrier.control.wait_until_quiet()
    assert "OptOutType" not in receiver.at("/inbound")[0].fields


def test_stop_blocks_only_the_number_it_was_sent_to(twilio: Client, carrier: Sandbox) -> None:
    send(twilio)
    carrier.control.answer(PHONE, "STOP")
    assert twilio.messages.create(to=PHONE, from_="+12025550101", body="hello").status == "queued"
    assert twilio.messages.create(to="+13035550123", from_=SENDER, body="hello").status == "queued"


def test_stop_blocks_a_messaging_service_that_sends_from_that_number(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.answer(PHONE, "STOP", to=carrier.config.default_number)
    with pytest.raises(TwilioRestException) as refused:
        twilio.messages.create(to=PHONE, messaging_service_sid="MG" + "0" * 32, body="hello")
    assert refused.value.code == 21610


@pytest.mark.parametrize("word", opt_out.WORDS["START"])
def test_every_start_word_lifts_the_block(twilio: Client, carrier: Sandbox, word: str) -> None:
    send(twilio)
    carrier.control.answer(PHONE, "STOP")
    carrier.control.answer(PHONE, word)
    assert send(twilio)
    assert carrier.control.summary()["blocked"] == 0


def test_twilio_confirms_in_english_on_the_phone_but_not_in_its_log(twilio: Client, carrier: Sandbox) -> None:
    send(twilio)
    for word in ("STOP", "STOP", "HELP", "START", "START"):
        carrier.control.answer(PHONE, word)
    confirmed = [body for direction, body in bodies(carrier) if direction == "carrier"]
    assert confirmed == [opt_out.ANSWERS["STOP"], opt_out.ANSWERS["HELP"], opt_out.ANSWERS["START"]]
    assert not {message.body for message in twilio.messages.list(limit=100)} & set(confirmed)


def test_twilios_confirmations_can_be_switched_off(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.set(opt_out_replies=False)
    send(twilio)
    carrier.control.answer(PHONE, "STOP")
    assert [direction for direction, _ in bodies(carrier)] == ["outbound-api", "inbound"]
    assert carrier.control.summary()["blocked"] == 1


def test_a_twiml_answer_is_delivered_to_the_phone_as_a_reply(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    twiml = MessagingResponse()
    twiml.message("Gracias. La llamaremos <mañana>.", action=f"{receiver.url}/reply-status")
    twiml.message("Dos & tres")
    receiver.answers.append((200, str(twiml)))
    send(twilio)
    carrier.control.answer(PHONE, "1")
    carrier.control.wait_until_quiet()
    replies = [message for message in twilio.messages.list(to=PHONE) if message.direction == "outbound-reply"]
    assert sorted(message.body for message in replies) == ["Dos & tres", "Gracias. La llamaremos <mañana>."]
    assert {(message.status, message.from_) for message in replies} == {("delivered", SENDER)}
    assert receiver.statuses("/reply-status") == ["sent", "delivered"]
    totals = carrier.control.summary()
    assert (totals["accepted"], totals["replies"], totals["duplicates"]) == (1, 2, 0)


def test_our_own_confirmation_after_stop_is_refused_by_twilio(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    receiver.answers.append((200, "<Response><Message>You will hear no more.</Message></Response>"))
    send(twilio)
    carrier.control.answer(PHONE, "STOP")
    carrier.control.wait_until_quiet()
    totals = carrier.control.summary()
    assert (totals["replies"], totals["refused_by_code"]) == (0, {"21610": 1})


@pytest.mark.parametrize(
    "answer",
    [
        "<Response></Response>",
        "<Response/>",
        "",
        "not xml",
        "<html><body>Hello</body></html>",
        "<Response><Message></Message></Response>",
        '<!DOCTYPE x [<!ENTITY a "b">]><Response><Message>&a;</Message></Response>',
    ],
)
def test_other_answers_send_nothing(twilio: Client, carrier: Sandbox, receiver: Receiver, answer: str) -> None:
    receiver.answers.append((200, answer))
    send(twilio)
    carrier.control.answer(PHONE, "1")
    carrier.control.wait_until_quiet()
    assert carrier.control.summary()["replies"] == 0
    (attempt,) = [row for row in carrier.control.callbacks() if row["kind"] == "inbound"]
    wrong = answer and not answer.startswith("<Response>") and answer != "<Response/>"
    assert (attempt["http_status"], bool(attempt["detail"])) == (200, bool(wrong))


def test_an_incoming_text_is_told_again_after_a_server_error_under_the_same_sid(
    twilio: Client, carrier: Sandbox, receiver: Receiver
) -> None:
    receiver.answers.append((500, ""))
    send(twilio)
    sid = carrier.control.answer(PHONE, "1")
    carrier.control.wait_until_quiet()
    assert [webhook.fields["MessageSid"] for webhook in receiver.at("/inbound")] == [sid, sid]


def test_without_an_inbound_address_answers_are_only_written_down(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    carrier.control.set(inbound_url=None)
    send(twilio)
    carrier.control.answer(PHONE, "1")
    carrier.control.wait_until_quiet()
    assert (receiver.at("/inbound"), carrier.control.summary()["inbound"]) == ([], 1)
