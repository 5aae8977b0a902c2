"""Mails through the sandbox, as SendGrid would handle them: what it refuses, what it tells, and what mailboxes answer.

The side that listens is the real adapter: what it calls genuine is genuine.
"""

import asyncio
import http.client
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from outreach.providers.contract import Forged, InboundMail, Mail, Mailbox, Objected, Objection, Receipt, Report, Verdict
from outreach.providers.sendgrid import SendGridMail
from outreach.providers.sendgrid_inbound import read_form
from outreach.sandbox import mail_people
from outreach.sandbox.config import Config, ConfigError
from outreach.sandbox.control import ControlError
from outreach.sandbox.faults import RuleError, parse
from outreach.sandbox.mail_fates import FATES
from outreach.sandbox.population import FREE_TEXT
from outreach.sandbox.server import Sandbox
from tests.listening import QuietHandler, listening

KEY, PASSWORD = "SG.made-up", "for answers"


@dataclass
class Side:
    """Our side: keeps every request, and answers 204 unless told otherwise."""

    url: str = ""
    status: int = 204
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def at(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for where, headers, body in self.got if where == path]


@pytest.fixture
def side() -> Iterator[Side]:
    state = Side()

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802  # named by the standard library
            body = self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else self._chunks()
            state.got.append((self.path, dict(self.headers), body))
            self.send_response(state.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

    with listening(Handler) as url:
        state.url = url
        yield state


@pytest.fixture
def config(tmp_path: Path, side: Side) -> Config:
    return Config(
        auth_token="unused", sendgrid_api_key=KEY, books=tmp_path / "books.sqlite", status_delay_ms=2, reply_delay_ms=2,
        retry_delay_ms=5, mail_events_url=f"{side.url}/events", inbound_mail_url=f"{side.url}/inbound",
        inbound_mail_password=PASSWORD,
    )  # fmt: skip


@pytest.fixture
def sandbox(config: Config) -> Iterator[Sandbox]:
    with Sandbox(config) as running:
        yield running


def adapter(sandbox: Sandbox, tokens: dict[str, UUID] | None = None) -> SendGridMail:
    return SendGridMail(
        api_key=KEY, sender=Mailbox("letters@notices.example.org"), sender_name="Letter Line", api_url=sandbox.url, in_flight=4,
        timeout=5.0, webhook_keys=(sandbox.control.webhook_key(),), inbound_password=PASSWORD, read_address=(tokens or {}).get,
    )  # fmt: skip


def mail(to: str, side: Side, text: str = "Una carta le espera. Llame, por favor.") -> Mail:
    token = uuid4()
    return Mail(
        token, Mailbox(to), "A letter is waiting", text, "<p>Una carta</p>", "es",
        Mailbox(f"r+{token.hex}@reply.example.org"), f"{side.url}/unsubscribe/{token.hex}",
    )  # fmt: skip


def send(sandbox: Sandbox, *mails: Mail) -> list[Receipt]:
    async def run() -> list[Receipt]:
        async with adapter(sandbox) as provider:
            return [await provider.send(one) for one in mails]

    receipts = asyncio.run(run())
    sandbox.control.wait_until_quiet()
    return receipts


def events(sandbox: Sandbox, side: Side) -> list[Report | Objected]:
    """What our side reads from all batches. Raises Forged for a batch that is."""
    found: list[Report | Objected] = []
    for headers, body in side.at("/events"):
        given = {name.casefold(): value for name, value in headers.items()}
        prefix = "x-twilio-email-event-webhook-"
        found += adapter(sandbox).read_events(body, given.get(prefix + "signature"), given.get(prefix + "timestamp"))
    return found


LIVES: dict[str, list[tuple[str, str | None]]] = {
    "ana": [("accepted", None), ("delivered", None)],
    "deferred.1": [("accepted", None), ("accepted", None), ("accepted", None), ("delivered", None)],
    "stuck.1": [("accepted", None), ("accepted", None), ("undelivered", "blocked:5.7.1")],
    "bounce.1": [("accepted", None), ("returned", "bounce:5.1.1")],
    "full.1": [("accepted", None), ("returned", "bounce:5.2.2")],
    "blocked.1": [("accepted", None), ("undelivered", "blocked:5.7.1")],
    "nowhere.1": [("accepted", None), ("undelivered", "blocked:unknown")],
    "returned.1": [("accepted", None), ("delivered", None), ("returned", "bounce:5.1.1")],
    "dropped.1": [("failed", "dropped:bounced_address")],
    "complained.1": [("failed", "dropped:spam_reporting_address")],
    "optedout.1": [("failed", "dropped:unsubscribed_address")],
    "invalid.1": [("failed", "dropped:invalid")],
    "spamcontent.1": [("failed", "dropped:spam_content")],
    "badheader.1": [("failed", "dropped:invalid_smtpapi_header")],
}


@pytest.mark.parametrize("local", LIVES)
def test_an_address_says_what_becomes_of_a_mail_to_it(sandbox: Sandbox, side: Side, local: str) -> None:
    one = mail(f"{local}@example.org", side)
    (receipt,) = send(sandbox, one)
    found = [each for each in events(sandbox, side) if isinstance(each, Report)]
    assert Counter((each.state, each.code) for each in found) == Counter(LIVES[local])
    assert {each.token for each in found} == {one.token}
    assert {each.provider_id for each in found} <= {receipt.provider_id, ""}
    assert len({each.key for each in found}) == len(found)


@pytest.mark.parametrize(("word", "objection"), [("spamreport", Objection.SPAM_REPORT), ("unsubscribe", Objection.UNSUBSCRIBED)])
def test_an_objection_is_told_and_what_follows_is_dropped(sandbox: Sandbox, side: Side, word: str, objection: Objection) -> None:
    first, second = mail(f"{word}@example.org", side), mail(f"{word}@example.org", side)
    send(sandbox, first)
    assert [each for each in events(sandbox, side) if isinstance(each, Objected)] == [Objected(first.token, objection)]
    send(sandbox, second)
    last = [each for each in events(sandbox, side) if each.token == second.token]
    assert [each.state for each in last if isinstance(each, Report)] == ["failed"]


def test_a_bounced_address_is_dropped_the_next_time(sandbox: Sandbox, side: Side) -> None:
    again = mail("bounce@example.org", side)
    send(sandbox, mail("bounce@example.org", side))
    send(sandbox, again)
    (dropped,) = [each for each in events(sandbox, side) if each.token == again.token]
    assert isinstance(dropped, Report)
    assert dropped.code == "dropped:bounced_address"


def test_a_domain_can_say_it_too_and_an_ordinary_name_says_nothing() -> None:
    assert mail_people.fate(1, "ana@bounce.example.org", population=False) == "bounce"
    assert mail_people.fate(1, "ana.bounce@example.org", population=False) == "delivered"
    assert mail_people.fate(1, "bouncer@example.org", population=False) == "delivered"


def test_a_refused_address_is_refused_in_sendgrids_words(sandbox: Sandbox, side: Side) -> None:
    (receipt,) = send(sandbox, mail("refused.1@example.org", side))
    assert (receipt.verdict, receipt.code) == (Verdict.REFUSED, "400:personalizations.0.to.0.email")


def test_events_doubled_reordered_late_and_missing(sandbox: Sandbox, side: Side) -> None:
    for fault, options in (("doubled", {}), ("reordered", {"ms": 50}), ("missing", {"statuses": ["processed"]})):
        sandbox.control.fault(fault, to=f"{fault}*@*", **options)
    send(sandbox, *(mail(f"{fault}.1@example.org", side) for fault in ("doubled", "reordered", "missing")))
    sandbox.control.wait_until_quiet()
    found = [each for each in events(sandbox, side) if isinstance(each, Report)]
    # Doubled events have the key of the first; that is how they are known.
    assert Counter(Counter(each.key for each in found).values()) == Counter({2: 2, 1: 3})
    assert sorted(each.status for each in found) == ["delivered"] * 4 + ["processed"] * 3


def test_a_batch_signed_with_a_wrong_key_is_forged(sandbox: Sandbox, side: Side) -> None:
    sandbox.control.fault("bad_signature", to="*@*", statuses=["delivered"])
    send(sandbox, mail("ana@example.org", side))
    verdicts = []
    for call in list(side.got):
        side.got[:] = [call]
        try:
            verdicts.append([each.status for each in events(sandbox, side) if isinstance(each, Report)])
        except Forged:
            verdicts.append(["forged"])
    assert sorted(verdicts) == [["forged"], ["processed"]]


def test_what_our_side_does_not_take_is_told_again_with_the_same_ids(sandbox: Sandbox, side: Side) -> None:
    side.status = 503
    send(sandbox, mail("ana@example.org", side))
    side.status = 204
    keys = Counter(each.key for each in events(sandbox, side) if isinstance(each, Report))
    assert set(keys.values()) == {4}  # once, and three times more
    assert sandbox.control.summary()["mail"]["events"]["failed"] == 8


def test_events_come_in_batches(sandbox: Sandbox, side: Side) -> None:
    sandbox.control.set(paused=True)
    asyncio.run(_send_many(sandbox, side, 40))
    sandbox.control.set(paused=False)
    sandbox.control.wait_until_quiet()
    assert len(side.at("/events")) < 10
    assert len(events(sandbox, side)) == 80


async def _send_many(sandbox: Sandbox, side: Side, count: int) -> None:
    async with adapter(sandbox) as provider:
        await asyncio.gather(*(provider.send(mail(f"p{number}@example.org", side)) for number in range(count)))


def answers(sandbox: Sandbox, side: Side, one: Mail) -> list[InboundMail]:
    provider = adapter(sandbox, {one.reply_to.address: one.token})
    return [
        provider.read_inbound(*read_form(body, headers["Content-Type"]), headers["Authorization"])
        for headers, body in side.at("/inbound")
    ]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("local", "text", "automatic", "files"),
    [
        ("answers.1", "1", False, []),
        ("stops.1", "STOP", False, []),
        ("away.1", "I am out of the office until Monday.", True, []),
        ("attaches.1", "Please see the attached letter.", False, ["letter.png"]),
    ],
)
def test_mailboxes_answer_and_the_answer_is_told_from_what_it_quotes(
    sandbox: Sandbox, side: Side, local: str, text: str, automatic: bool, files: list[str], raw: bool
) -> None:
    sandbox.control.set(raw_inbound=raw)
    one = mail(f"{local}@example.org", side)
    send(sandbox, one)
    (answer,) = answers(sandbox, side, one)
    assert (answer.token, answer.sender) == (one.token, f"{local}@example.org")
    assert (answer.text, answer.automatic) == (text, automatic)
    assert [file.name for file in answer.attachments] == files
    assert all(file.content.startswith(b"\x89PNG") for file in answer.attachments)


def test_a_writer_answers_in_the_language_of_the_mail(sandbox: Sandbox, side: Side) -> None:
    one = mail("writes.1@example.org", side)
    send(sandbox, one)
    (answer,) = answers(sandbox, side, one)
    assert answer.text in FREE_TEXT["es"]


def test_an_answer_that_was_not_taken_is_handed_over_again_and_known_again(sandbox: Sandbox, side: Side) -> None:
    one = mail("answers.1@example.org", side)
    side.status = 500
    send(sandbox, one)
    found = answers(sandbox, side, one)
    assert len(found) == 4
    assert len({each.provider_id for each in found}) == 1


def test_a_test_can_answer_for_a_mailbox(sandbox: Sandbox, side: Side) -> None:
    one = mail("ana@example.org", side)
    send(sandbox, one)
    sandbox.control.answer_mail("Ana@example.org", "Llámeme mañana", attachment=True)
    sandbox.control.wait_until_quiet()
    (answer,) = answers(sandbox, side, one)
    assert (answer.text, len(answer.attachments)) == ("Llámeme mañana", 1)
    assert sandbox.control.summary()["mail"]["answers"] == 1
    with pytest.raises(ControlError, match="no mail"):
        sandbox.control.answer_mail("nobody@example.org", "1")


def test_one_click_posts_what_the_rfc_says_to_the_address_in_the_header(sandbox: Sandbox, side: Side) -> None:
    one = mail("oneclick.1@example.org", side)
    send(sandbox, one)
    ((headers, body),) = side.at(urlsplit(one.unsubscribe_url).path)
    assert body == b"List-Unsubscribe=One-Click"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


GOOD: dict[str, Any] = {
    "personalizations": [{"to": [{"email": "ana@example.org"}]}],
    "from": {"email": "letters@example.org"},
    "subject": "A letter",
    "content": [{"type": "text/plain", "value": "hello"}, {"type": "text/html", "value": "<p>hello</p>"}],
}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{}]}, "personalizations.0.to"),
        ({"personalizations": [{"to": [{"email": "ana"}]}]}, "personalizations.0.to.0.email"),
        ({"personalizations": [{"to": [{"email": "a@b.org, c@d.org"}]}]}, "personalizations.0.to.0.email"),
        ({"personalizations": [{"to": [{"email": "a@b.org"}, {"email": "A@b.org"}]}]}, "personalizations.0.to"),
        ({"personalizations": GOOD["personalizations"] * 1001}, "personalizations"),
        ({"custom_args": {"long": "x" * 10_000}}, "personalizations.0.custom_args"),
        ({"from": {}}, "from.email"),
        ({"subject": ""}, "subject"),
        ({"content": []}, "content"),
        ({"content": list(reversed(GOOD["content"]))}, "content"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
        ({"reply_to": {"email": "no"}}, "reply_to.email"),
        ({"headers": {"Bcc": "x@example.org"}}, "headers.bcc"),
        ({"tracking_settings": {"open_tracking": {"enable": "false"}}}, "tracking_settings.open_tracking.enable"),
    ],
)
def test_a_wrong_request_is_refused_with_the_field_that_is_wrong(sandbox: Sandbox, changed: dict[str, Any], field: str) -> None:
    status, body = post(sandbox, json.dumps(GOOD | changed))
    assert status == 400
    (error,) = json.loads(body)["errors"]
    assert set(error) == {"message", "field", "help"}
    assert error["field"] == field
    assert sandbox.control.summary()["mail"]["accepted"] == 0


def test_what_is_not_json_is_a_bad_request_and_a_wrong_key_opens_nothing(sandbox: Sandbox) -> None:
    assert post(sandbox, "nothing")[0] == 400
    assert post(sandbox, json.dumps(GOOD), "SG.another")[0] == 401
    assert post(sandbox, json.dumps(GOOD))[0] == 202


def post(sandbox: Sandbox, body: str, key: str = KEY) -> tuple[int, str]:
    parts = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request("POST", "/v3/mail/send", body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def test_the_books_count_what_was_sent_twice_though_each_mail_has_links_of_its_own(sandbox: Sandbox, side: Side) -> None:
    words = "A letter: {url}"
    first, second = (mail("ana@example.org", side, words.format(url=f"https://example.org/{number}")) for number in (1, 2))
    send(sandbox, first, second, mail("ben@example.org", side))
    totals = sandbox.control.summary()["mail"]
    assert (totals["accepted"], totals["accepted_mailboxes"], totals["duplicates"]) == (3, 2, 1)
    assert [one["to"] for one in sandbox.control.mails()] == ["ana@example.org", "ana@example.org", "ben@example.org"]
    assert {event["http_status"] for event in sandbox.control.mail_events()} == {204}


def test_mails_outlive_a_restart_and_so_does_what_is_still_due(config: Config, side: Side) -> None:
    sandbox = Sandbox(config).start()
    sandbox.control.set(paused=True)
    asyncio.run(_send_many(sandbox, side, 3))
    sandbox.stop()
    assert side.at("/events") == []
    with sandbox:
        sandbox.control.wait_until_quiet()
        assert len(events(sandbox, side)) == 6


def test_reset_empties_the_mail_books_too(sandbox: Sandbox, side: Side) -> None:
    send(sandbox, mail("bounce@example.org", side))
    sandbox.control.reset()
    totals = sandbox.control.summary()["mail"]
    assert (totals["accepted"], totals["suppressed"], totals["pending"]) == (0, 0, 0)


def test_a_fate_by_rule(sandbox: Sandbox, side: Side) -> None:
    sandbox.control.fault("fate", to="*@example.net", status="returned")
    one = mail("ana@example.net", side)
    send(sandbox, one)
    assert sorted(each.state for each in events(sandbox, side) if isinstance(each, Report)) == ["accepted", "delivered", "returned"]


def test_fates_of_mails_are_for_mails_only() -> None:
    with pytest.raises(RuleError, match="pattern with @"):
        parse({"fault": "fate", "status": "bounce"})
    assert parse({"fault": "fate", "status": "bounce", "to": "*@*"}).status == "bounce"


def test_each_address_behaves_the_same_in_every_run_and_some_of_a_population_fail_and_answer() -> None:
    addresses = [f"person.{number}@example.org" for number in range(3000)]
    fates = Counter(mail_people.fate(7, address, population=True) for address in addresses)
    assert fates == Counter(mail_people.fate(7, address, population=True) for address in addresses)
    assert set(fates) <= {*FATES, mail_people.REFUSED}
    assert 0.85 < fates["delivered"] / 3000 < 0.95
    replies = [mail_people.reply(7, address, "the letter", 0, population=True) for address in addresses]
    assert 0.06 < sum(reply is not None for reply in replies) / 3000 < 0.14
    assert any(reply.machine for reply in replies if reply)
    assert {mail_people.fate(7, address, population=False) for address in addresses} == {"delivered"}


@pytest.mark.parametrize("options", [{"webhook_key": "no key"}, {"inbound_mail_url": "http://127.0.0.1/x"}])
def test_settings_that_cannot_work_are_refused_with_a_sentence(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Config(auth_token="x", books=tmp_path / "books.sqlite", **options)
