"""Mails through an agency's own relay: a real SMTP server, and the notification that a mail came back after all."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from outreach import jobs
from outreach.access.sealing import Vault
from outreach.cli import bounces
from outreach.delivery import mail_address
from outreach.delivery.mail_address import Purpose
from outreach.jobs import Machine
from outreach.supervisor import free_port
from tests.stage import Stage

FAILED = Path(__file__).parents[1] / "providers" / "recorded" / "dsn" / "exchange.eml"


class Relay:
    """An SMTP server that takes what it is given; `silent` closes the connection instead of saying so."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.silent = False

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        self.taken.append(envelope)
        if self.silent:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 2.0.0 OK: queued"


@contextmanager
def relay() -> Iterator[tuple[Relay, int]]:
    handler, port = Relay(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()


def machine(stage: Stage, port: int) -> Machine:
    chosen = replace(
        stage.settings, mail_provider="smtp", smtp_host="127.0.0.1", smtp_port=port, smtp_security="none",
        smtp_bounce_domain="bounce.example.org",
    )  # fmt: skip
    return Machine(chosen, stage.sessions)


def test_the_relay_gets_each_mail_once_to_one_recipient_in_two_forms(stage: Stage) -> None:
    stage.cast_mail([f"sample{n}@example.org" for n in range(20)])
    stage.plan()
    with relay() as (server, port):
        assert jobs.mail_due(machine(stage, port)).sent == 20
    assert sorted(envelope.rcpt_tos for envelope in server.taken) == sorted([f"sample{n}@example.org"] for n in range(20))
    content = server.taken[0].content
    assert isinstance(content, bytes)
    assert [part.get_content_type() for part in message_from_bytes(content).walk()][1:] == ["text/plain", "text/html"]
    assert stage.states() == {"accepted": 20}
    stage.check_outcomes()


def test_a_relay_that_falls_silent_after_the_text_is_not_given_it_again(stage: Stage) -> None:
    stage.cast_mail(["sample@example.org"])
    stage.plan()
    with relay() as (server, port):
        server.silent = True
        here = machine(stage, port)
        jobs.mail_due(here)
        assert stage.states() == {"unknown": 1}
        server.silent = False
        for _ in range(5):
            stage.later(hours=10)
            jobs.sweep_once(here)
            jobs.mail_due(here)
    assert len(server.taken) == 1
    assert stage.outcomes() == {"in_progress": 1}
    assert stage.scalar("select state from campaign") == "running"
    stage.execute("update message set updated_at = updated_at - interval '8 days'")
    jobs.sweep_once(here)
    assert stage.scalar("select state from campaign") == "done"
    assert stage.states() == {"unknown": 1}


def test_a_notification_brings_back_who_was_thought_to_have_it(stage: Stage) -> None:
    stage.cast_mail(["sample@example.org"])
    stage.plan()
    with relay() as (_, port):
        here = machine(stage, port)
        jobs.mail_due(here)
    vault = stage.sessions.kw["info"]["vault"]
    assert isinstance(vault, Vault)
    token = stage.scalar("select id from attempt")
    address = f"{mail_address.sign(vault, Purpose.BOUNCE, token)}@bounce.example.org"
    assert bounces.keep(here, FAILED.read_text().replace("{bounce}", address).encode())
    jobs.apply_due(here)
    assert stage.states() == {"returned": 1}
    assert stage.scalar("select state from contact_point where kind = 'email'") == "bad"
    assert stage.outcomes() == {"exhausted:bad_contact": 1}


def test_a_relay_that_is_not_there_costs_nothing_but_time(stage: Stage) -> None:
    stage.cast_mail(["sample@example.org"])
    stage.plan()
    here = machine(stage, free_port())
    jobs.mail_due(here)
    assert stage.states() == {"ready": 1}
    assert stage.states("attempt") == {"not_sent": 1}
    stage.later(hours=1)
    with relay() as (server, port):
        jobs.mail_due(machine(stage, port))
    assert len(server.taken) == 1
