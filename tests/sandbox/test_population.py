"""The people who are not there: the same for the same seed, in the proportion that was meant, in the right language."""

from collections import Counter

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from outreach.sandbox import population
from outreach.sandbox.server import Sandbox
from tests.sandbox.conftest import SENDER, Receiver

PHONES = [f"+1{area}555{line:04d}" for area in range(203, 403) for line in range(100, 200)]


def test_phones_fare_in_the_proportion_that_was_meant() -> None:
    fates = Counter(population.fate(1, phone).error for phone in PHONES)
    refused = Counter(population.refusal(1, phone) for phone in PHONES)
    assert fates[30003] / len(PHONES) == pytest.approx(0.04, abs=0.006)
    assert fates[30005] / len(PHONES) == pytest.approx(0.02, abs=0.005)
    assert refused[21211] / len(PHONES) == pytest.approx(0.01, abs=0.004)


def test_phones_answer_in_the_proportion_that_was_meant() -> None:
    answers = [population.answer(1, phone, "We have a message for you", 0) for phone in PHONES]
    given = Counter(answer for answer in answers if answer is not None)
    assert given.total() / len(PHONES) == pytest.approx(population.ANSWERING, abs=0.01)
    assert given["1"] > given["2"] > given["9"] > 0
    assert given["STOP"] > 0


def test_free_answers_are_in_the_language_of_the_text() -> None:
    scripted = {text for _, text in population.ANSWERS}
    answers = {population.answer(1, phone, "Tenemos un mensaje para usted", 0) for phone in PHONES} - scripted - {None}
    assert answers == set(population.FREE_TEXT["es"])


def test_a_language_without_answers_is_answered_without_words() -> None:
    scripted = {text for _, text in population.ANSWERS}
    answers = {population.answer(1, phone, "ຂໍ້ຄວາມ", 0) for phone in PHONES} - scripted - {None}
    assert answers == set(population.WORDLESS)


def test_a_living_population_refuses_fails_and_answers(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    carrier.control.set(population=True, reply_delay_ms=5)
    good = [phone for phone in PHONES if population.refusal(1, phone) is None][:200]
    bad = [phone for phone in PHONES if population.refusal(1, phone) is not None][:5]
    for phone in good:
        twilio.messages.create(to=phone, from_=SENDER, body="Tenemos un mensaje para usted. Responda 1.")
    for phone in bad:
        with pytest.raises(TwilioRestException) as refused:
            twilio.messages.create(to=phone, from_=SENDER, body="Tenemos un mensaje para usted. Responda 1.")
        assert refused.value.code == population.refusal(1, phone)
    carrier.control.wait_until_quiet()
    totals = carrier.control.summary()
    assert (totals["accepted"], totals["refused"]) == (len(good), len(bad))
    assert totals["statuses"]["undelivered"] > 0
    assert totals["inbound"] == len(receiver.at("/inbound")) > 10
    undelivered = {message.to for message in twilio.messages.list() if message.status == "undelivered"}
    assert not undelivered & {webhook.fields["From"] for webhook in receiver.at("/inbound")}
