"""Status callbacks: signed as Twilio signs, one for each change, retried, and still there after a restart."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from twilio.rest import Client

from outreach.sandbox.config import Config
from outreach.sandbox.control import Control
from outreach.sandbox.server import Sandbox
from tests.sandbox.conftest import PHONE, SENDER, TOKEN, Receiver, client_of, wait_for


def test_a_text_reports_sent_and_delivered_but_never_its_first_status(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="hello", status_callback=f"{receiver.url}/cb/abc?x=1")
    carrier.control.wait_until_quiet()
    # As with the real carrier, the second may overtake the first.
    assert sorted(receiver.statuses("/cb/abc?x=1")) == ["delivered", "sent"]
    assert message.fetch().status == "delivered"
    final = next(one for one in receiver.received if one.fields["MessageStatus"] == "delivered")
    assert final.fields["MessageSid"] == final.fields["SmsSid"] == message.sid
    assert final.fields["SmsStatus"] == "delivered"
    assert (final.fields["To"], final.fields["From"]) == (PHONE, SENDER)
    assert (final.fields["AccountSid"], final.fields["ApiVersion"]) == (message.account_sid, "2010-04-01")
    assert "ErrorCode" not in final.fields
    assert final.fields["RawDlrDoneDate"].isdigit()
    assert final.headers["I-Twilio-Idempotency-Token"]


@pytest.mark.parametrize(
    "path", ["/cb/abc", "/cb/abc?a=1&b=two%20words", "/cb/%C3%A9?q=%2B1", "/cb/abc#rc=2&rp=all", "/cb/x?y#rc=1"]
)
def test_twilios_own_validator_accepts_every_signature(twilio: Client, carrier: Sandbox, receiver: Receiver, path: str) -> None:
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello", status_callback=receiver.url + path)
    carrier.control.wait_until_quiet()
    assert [webhook.genuine for webhook in receiver.received] == [True, True]
    assert receiver.received[0].path == path.partition("#")[0]


def test_behind_a_proxy_the_signature_covers_the_public_address(config: Config, receiver: Receiver) -> None:
    receiver.public_url = "https://outreach.example.org"
    behind = replace(config, public_base=receiver.public_url, local_base=receiver.url, inbound_url="/inbound")
    with Sandbox(behind) as carrier:
        client_of(carrier).messages.create(
            to=PHONE, from_=SENDER, body="hello", status_callback="https://outreach.example.org/cb/abc"
        )
        carrier.control.answer(PHONE, "1")
        carrier.control.wait_until_quiet()
    assert {webhook.path for webhook in receiver.received} == {"/cb/abc", "/inbound"}
    assert all(webhook.genuine for webhook in receiver.received)
    assert {webhook.headers["Host"] for webhook in receiver.received} == {"outreach.example.org"}


def test_a_text_without_status_callback_moves_on_silently(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="hello")
    carrier.control.wait_until_quiet()
    assert (message.fetch().status, receiver.received) == ("delivered", [])


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_callback_is_tried_again_after_a_server_error_with_the_same_token(
    twilio: Client, carrier: Sandbox, receiver: Receiver, failures: int
) -> None:
    carrier.control.fault("fate", status="failed", code=30008)
    receiver.answers.extend([(503, "")] * failures)
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello", status_callback=f"{receiver.url}/cb/abc")
    carrier.control.wait_until_quiet()
    assert receiver.statuses("/cb/abc") == ["failed"] * (failures + 1)
    assert len({webhook.headers["I-Twilio-Idempotency-Token"] for webhook in receiver.received}) == 1
    assert [row["http_status"] for row in carrier.control.callbacks()] == [503] * failures + [204]
    assert carrier.control.summary()["callbacks"]["retries"] == failures


@pytest.mark.parametrize(
    ("override", "answer", "attempts"),
    [
        ("", 404, 1),
        ("#rc=2&rp=4xx", 404, 3),
        ("#rc=2&rp=all", 503, 3),
        ("#rc=1&rp=5xx", 503, 2),
        ("#rc=5", 503, 1),
        ("#rc=0&rp=all", 503, 1),
    ],
)
def test_the_address_itself_says_what_is_tried_again(
    twilio: Client, carrier: Sandbox, receiver: Receiver, override: str, answer: int, attempts: int
) -> None:
    carrier.control.fault("fate", status="failed", code=30008)
    receiver.answers.extend([(answer, "")] * 10)
    twilio.messages.create(to=PHONE, from_=SENDER, body="hello", status_callback=f"{receiver.url}/cb{override}")
    carrier.control.wait_until_quiet()
    assert len(receiver.received) == attempts


def test_a_callback_to_nobody_is_given_up_after_its_retries(twilio: Client, carrier: Sandbox) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    message = twilio.messages.create(to=PHONE, from_=SENDER, body="x", status_callback=f"http://127.0.0.1:{port}/cb")
    carrier.control.wait_until_quiet()
    attempts = list(carrier.control.callbacks())
    assert [row["detail"] for row in attempts] == ["ct"] * 2 * (1 + carrier.config.callback_retries)
    assert message.fetch().status == "delivered"


def test_callbacks_that_were_due_are_sent_after_a_restart(carrier: Sandbox, receiver: Receiver) -> None:
    carrier.control.set(paused=True)
    client = client_of(carrier)
    sids = [
        client.messages.create(to=PHONE, from_=SENDER, body=f"{n}", status_callback=f"{receiver.url}/cb/{n}").sid for n in range(5)
    ]
    carrier.stop()
    assert receiver.received == []
    carrier.start()
    carrier.control.wait_until_quiet()
    assert {webhook.fields["MessageSid"] for webhook in receiver.received} == set(sids)
    assert [message.status for message in client.messages.list(to=PHONE)] == ["delivered"] * 5


def test_a_killed_process_keeps_every_text_it_accepted_and_every_callback_it_owes(tmp_path: Path, receiver: Receiver) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    environment = dict(
        os.environ,
        TWILIO_AUTH_TOKEN=TOKEN,
        SANDBOX_CONTROL_TOKEN="control",
        SANDBOX_PORT=str(port),
        SANDBOX_BOOKS=str(tmp_path / "books.sqlite"),
        SANDBOX_STATUS_DELAY_MS="300",
    )
    control = Control(f"http://127.0.0.1:{port}", "control")

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", "outreach.sandbox"], env=environment, stdout=subprocess.DEVNULL)
        control.wait_until_healthy()
        return process

    process = start()
    client = Client("AC" + "5a" * 16, TOKEN)
    client.api.base_url = control.url
    sids = [
        client.messages.create(to=PHONE, from_=SENDER, body=f"{n}", status_callback=f"{receiver.url}/cb/{n}").sid for n in range(20)
    ]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process = start()
    try:
        assert [row["sid"] for row in control.messages()] == sids
        control.wait_until_quiet()
        reported = {(webhook.fields["MessageSid"], webhook.fields["MessageStatus"]) for webhook in receiver.received}
        assert reported == {(sid, status) for sid in sids for status in ("sent", "delivered")}
        assert client.messages.create(to=PHONE, from_=SENDER, body="after").sid not in sids
    finally:
        process.terminate()
        assert process.wait() == 0
        client.http_client.session.close()


def test_callbacks_are_posted_side_by_side(twilio: Client, carrier: Sandbox, receiver: Receiver) -> None:
    for number in range(200):
        twilio.messages.create(
            to=f"+1303555{100 + number % 100:04d}", from_=SENDER, body=f"{number}", status_callback=f"{receiver.url}/cb"
        )
    carrier.control.wait_until_quiet()
    wait_for(lambda: len(receiver.received) == 400)
    assert carrier.control.summary()["callbacks"] == {"posted": 400, "answered_2xx": 400, "failed": 0, "retries": 0}
