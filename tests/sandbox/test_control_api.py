"""The control interface: closed without its token, and clear about mistakes."""

import pytest
from twilio.rest import Client

from outreach.sandbox.control import Control, ControlError, StillBusy
from outreach.sandbox.server import NotStarted, Sandbox
from tests.sandbox.conftest import PHONE, SENDER, TOKEN


@pytest.mark.parametrize("token", ["", "wrong", TOKEN])
def test_nothing_is_shown_or_changed_without_the_control_token(carrier: Sandbox, token: str) -> None:
    stranger = Control(carrier.url, token)
    assert stranger.healthy()
    for attempt in (
        stranger.summary,
        stranger.faults,
        stranger.reset,
        stranger.clear_faults,
        lambda: list(stranger.messages()),
        lambda: list(stranger.callbacks()),
        lambda: stranger.answer(PHONE, "1"),
        lambda: stranger.set(paused=True),
        lambda: stranger.fault("slow"),
        lambda: stranger.wait_until_quiet(0),
    ):
        with pytest.raises(ControlError, match="401: The control token"):
            attempt()


@pytest.mark.parametrize(
    ("dials", "sentence"),
    [
        ({"volume": 11}, "no dial volume"),
        ({"paused": "yes"}, "dial paused"),
        ({"status_delay_ms": -1}, "dial status_delay_ms"),
        ({"inbound_url": 5}, "dial inbound_url"),
    ],
)
def test_a_dial_turned_wrongly_turns_none(carrier: Sandbox, dials: dict[str, object], sentence: str) -> None:
    before = carrier.control.set()
    with pytest.raises(ControlError, match=sentence):
        carrier.control.set(population=True, **dials)
    assert carrier.control.set() == before


def test_an_answer_from_no_phone_is_refused(carrier: Sandbox) -> None:
    with pytest.raises(ControlError, match="not a number"):
        carrier.control.answer("nobody", "1")
    with pytest.raises(ControlError, match="needs a body"):
        carrier.control.answer(PHONE, "")


def test_waiting_for_quiet_gives_up_in_time(twilio: Client, carrier: Sandbox) -> None:
    carrier.control.set(paused=True)
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    with pytest.raises(StillBusy):
        carrier.control.wait_until_quiet(0.1)


def test_a_reset_empties_the_books_and_removes_the_faults(twilio: Client, carrier: Sandbox) -> None:
    sid = twilio.messages.create(to=PHONE, from_=SENDER, body="hello").sid
    carrier.control.answer(PHONE, "STOP")
    carrier.control.fault("slow")
    carrier.control.reset()
    totals = carrier.control.summary()
    assert (totals["requests"], totals["inbound"], totals["blocked"], totals["pending"]) == (0, 0, 0, 0)
    assert carrier.control.faults() == []
    assert twilio.messages.create(to=PHONE, from_=SENDER, body="hello").sid != sid


def test_more_rows_than_one_chunk_are_streamed_once_each(twilio: Client, carrier: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outreach.sandbox.control_api.CHUNK", 3)
    sids = [twilio.messages.create(to=PHONE, from_=SENDER, body=f"{number}").sid for number in range(10)]
    rows = list(carrier.control.messages())
    assert [row["sid"] for row in rows] == sids
    assert [row["sid"] for row in carrier.control.messages(after=rows[6]["n"])] == sids[7:]


def test_a_port_that_is_taken_is_reported_to_who_starts_the_sandbox(carrier: Sandbox) -> None:
    taken = int(carrier.url.rpartition(":")[2])
    second = Sandbox(type(carrier.config)(auth_token=TOKEN, books=carrier.config.books.with_name("2"), port=taken))
    with pytest.raises(NotStarted):
        second.start()
