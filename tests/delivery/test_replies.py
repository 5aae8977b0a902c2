"""What phones answer: obeyed at once, kept once, bound to the right person, and answered so that nobody learns anything."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.delivery import plan, reply
from outreach.delivery.claim import Rules, claim
from outreach.delivery.projection import project
from outreach.delivery.record import Limits, Result, record
from outreach.delivery.reply import ANSWERS_A_DAY, Binding, Received
from outreach.delivery.words import ReplyKind
from outreach.notices.notice import Purpose
from outreach.people.contact import ContactPoint, ContactRole, PersonContact, Safety
from outreach.people.incident import Incident
from outreach.people.person import Person
from outreach.providers.contract import Inbound, Receipt, Verdict
from tests.delivery.conftest import HOUSE, LEASE
from tests.factories import make_account, make_contact, make_incident, make_person
from tests.stage import Stage, make_notice, make_running, phone

STRANGER = "+12025550199"
sids = iter(range(1, 10_000))


class Correspondence:
    """People with phones, a campaign that was planned, and what they write."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.incident: Incident = make_incident(session)
        self.approver = make_account(session, Role.APPROVER)

    def person(self, number: int, *, role: ContactRole = ContactRole.OWN, language: str = "es") -> Person:
        person = make_person(self.session, incident=self.incident, language=language)
        self.link(person, number, role)
        return person

    def link(self, person: Person, number: int, role: ContactRole = ContactRole.OWN) -> None:
        index = self.session.info["vault"].blind_index("phone", phone(number))
        known = self.session.scalar(sa.select(ContactPoint).where(ContactPoint.value_index == index))
        if known is None:
            make_contact(self.session, person, value=phone(number), role=role, safety=Safety.YES)
        else:
            link = {"role": role, "safety": Safety.YES, "consent_on": date(2022, 12, 1)}
            self.session.add(PersonContact(person_id=person.id, contact_point_id=known.id, **link))
            self.session.flush()

    def launch(self, languages: tuple[str, ...] = ("es",), answers: tuple[str, ...] | None = None) -> None:
        make_running(self.session, self.incident, make_notice(self.session, languages, by=self.approver))
        for purpose in (Purpose.HELP, Purpose.WRONG_PERSON):
            make_notice(self.session, languages if answers is None else answers, purpose=purpose, by=self.approver)
        for step in plan.due_steps(self.session):
            plan.plan(self.session, step)

    def send(self, verdict: Verdict = Verdict.ACCEPTED) -> int:
        batch = claim(self.session, "sms", 100, Rules(HOUSE, LEASE, "twilio"))
        results = [Result(c.message_id, Receipt(c.envelope.token, verdict, f"SM{c.envelope.token.hex}")) for c in batch.claimed]
        record(self.session, results, Limits(3, 60), "twilio")
        return len(results)

    def deliver(self) -> None:
        self.session.execute(sa.text("update message set state = 'delivered' where state = 'accepted'"))
        self.session.execute(sa.text("update outcome set state = 'reached' where state = 'in_progress'"))

    def write(self, sender: int | str, body: str, sid: str | None = None) -> Received:
        address = phone(sender) if isinstance(sender, int) else sender
        return reply.receive(self.session, "twilio", Inbound(sid or f"SM{next(sids):032x}", address, body), HOUSE)

    def one(self, column: str, table: str) -> str | None:
        found = self.session.scalar(sa.text(f"select {column} from {table}"))
        return None if found is None else str(found)

    def outcomes(self) -> list[str]:
        rows = self.session.scalars(sa.text("select concat_ws(':', state, reason) from outcome order by 1"))
        return [str(row) for row in rows]


@pytest.fixture
def mail(session: Session) -> Correspondence:
    return Correspondence(session)


@pytest.mark.parametrize(
    "word", ["STOP", "stop.", "ALTO", "no más", "ARRET", "СТОП", "停止", "توقف", "بند کریں", "DỪNG", "KANPE", "don't text me"]
)
def test_stop_in_any_language_ends_the_phone_for_everybody_on_it_at_once(mail: Correspondence, word: str) -> None:
    mail.person(1, language="es")
    mail.person(1, language="fr", role=ContactRole.FAMILY)
    mail.launch(("es", "fr"))
    assert mail.write(1, word).kind == ReplyKind.STOP
    assert mail.one("state", "contact_point") == "opted_out"
    assert set(mail.session.scalars(sa.text("select state from message"))) == {"cancelled"}
    assert mail.outcomes() == ["exhausted:opted_out"] * 2
    assert mail.send() == 0


def test_stop_leaves_what_was_handed_over_to_its_report(mail: Correspondence) -> None:
    mail.person(1)
    mail.launch()
    mail.send()
    mail.write(1, "STOP")
    assert mail.one("state", "message") == "accepted"
    assert mail.outcomes() == ["in_progress"]


def test_stop_is_obeyed_between_a_failure_and_its_retry(mail: Correspondence) -> None:
    mail.person(1)
    mail.launch()
    mail.send()
    mail.session.execute(sa.text("update message set state = 'undelivered', due_at = now()"))
    mail.write(1, "STOP")
    assert mail.one("state", "message") == "cancelled"


@pytest.mark.parametrize("word", ["START", "UNSTOP", "INICIAR"])
def test_start_opens_the_phone_again(mail: Correspondence, word: str) -> None:
    mail.person(1)
    mail.launch()
    mail.write(1, "STOP")
    mail.write(1, word)
    assert mail.one("state", "contact_point") == "usable"


def test_start_does_not_open_a_phone_where_somebody_said_wrong_person(mail: Correspondence) -> None:
    mail.person(1)
    mail.launch()
    mail.write(1, "9")
    mail.write(1, "START")
    assert mail.one("state", "contact_point") == "quarantined"


@pytest.mark.parametrize("word", ["9", "٩", "wrong person", "número equivocado", "no soy yo"])
def test_wrong_person_turns_reached_back_and_stops_everything_to_that_phone(mail: Correspondence, word: str) -> None:
    mail.person(1)
    mail.launch()
    mail.send()
    mail.deliver()
    received = mail.write(1, word)
    assert received.kind == ReplyKind.WRONG_PERSON
    assert mail.one("state", "contact_point") == "quarantined"
    assert mail.outcomes() == ["exhausted:wrong_number"]
    assert mail.one("needs_human", "reply") == "True"
    assert "1-800-555-0199" in str(received.answer)


@pytest.mark.parametrize("word", ["1", "１", "١", "१", " 1. ", "1️⃣", "recibido"])
def test_one_from_the_persons_own_phone_means_told(mail: Correspondence, word: str) -> None:
    person = mail.person(1)
    mail.launch()
    mail.send()
    assert mail.write(1, word).kind == ReplyKind.ACKNOWLEDGE
    assert mail.outcomes() == ["told"]
    assert mail.one("person_id", "reply") == str(person.id)
    assert mail.one("binding", "reply") == Binding.ONLY_PERSON


def test_told_stays_when_its_delivery_report_comes_late_or_bad(mail: Correspondence) -> None:
    mail.person(1)
    mail.launch()
    mail.send()
    mail.write(1, "1")
    assert mail.write(1, "1").new
    mail.session.execute(sa.text("update message set state = 'undelivered'"))
    project(mail.session, mail.session.scalars(sa.text("select id from message")).all())
    assert mail.outcomes() == ["told"]


def test_one_from_a_phone_that_was_never_written_to_tells_nobody(mail: Correspondence) -> None:
    mail.person(1)
    mail.launch()
    mail.write(1, "1")
    assert mail.outcomes() == ["planned"]


@pytest.mark.parametrize("role", [ContactRole.FAMILY, ContactRole.SHELTER, ContactRole.ATTORNEY, ContactRole.OTHER])
def test_one_from_somebody_elses_phone_tells_nobody(mail: Correspondence, role: ContactRole) -> None:
    mail.person(1, role=role)
    mail.launch()
    mail.send()
    mail.write(1, "1")
    assert mail.outcomes() == ["in_progress"]


def test_a_shared_phones_answer_is_nobodys_until_staff_say_whose(mail: Correspondence) -> None:
    first, _ = mail.person(1), mail.person(1)
    mail.launch()
    mail.send()
    received = mail.write(1, "1")
    assert mail.outcomes() == ["in_progress", "in_progress"]
    assert mail.one("binding", "reply") == Binding.SHARED
    assert mail.one("needs_human", "reply") == "True"
    assert mail.one("person_id", "reply") is None
    assert received.reply_id is not None
    officer = make_account(mail.session)
    assert reply.bind(mail.session, received.reply_id, first.id, by=officer).person_id == first.id
    with pytest.raises(reply.NotTheirs):
        reply.bind(mail.session, received.reply_id, mail.person(2).id, by=officer)


def test_a_strangers_text_is_kept_sealed_and_for_staff(mail: Correspondence) -> None:
    received = mail.write(STRANGER, "¿Quién habla?")
    assert received.new
    assert mail.one("binding", "reply") == Binding.STRANGER
    assert mail.one("needs_human", "reply") == "True"
    assert mail.one("position('Qui'::bytea in body_sealed)", "reply") == "0"


@pytest.mark.parametrize(("language", "word"), [("es", "AYUDA"), ("en", "HELP"), ("es", "no soy yo"), ("en", "9")])
def test_a_stranger_gets_byte_for_byte_what_a_listed_phone_gets(mail: Correspondence, language: str, word: str) -> None:
    mail.person(1, language=language)
    mail.launch(("en", "es"))
    mail.send()
    listed, stranger = mail.write(1, word), mail.write(STRANGER, word)
    assert listed.answer is not None
    assert listed.answer.encode() == str(stranger.answer).encode()


def test_help_is_answered_in_the_language_of_our_text_and_in_no_other(mail: Correspondence) -> None:
    mail.person(1, language="es")
    mail.person(2, language="fr")
    mail.launch(("es", "fr"), answers=("es", "en"))
    mail.send()
    assert "Letter Line" in str(mail.write(1, "HELP").answer)
    assert mail.write(2, "HELP").answer is None  # No approved answer in French: silence, never English.


def test_nothing_is_answered_where_nothing_is_approved(mail: Correspondence) -> None:
    mail.person(1)
    mail.launch(("es",), answers=())
    mail.send()
    assert [mail.write(1, word).answer for word in ("HELP", "AYUDA", "9")] == [None] * 3


@pytest.mark.parametrize("word", ["STOP", "START", "1", "2", "3", "hello", ""])
def test_nothing_else_is_ever_answered(mail: Correspondence, word: str) -> None:
    mail.person(1)
    mail.launch()
    mail.send()
    assert mail.write(1, word).answer is None


@pytest.mark.parametrize("sender", [1, STRANGER])
def test_two_machines_do_not_talk_to_each_other_for_ever(mail: Correspondence, sender: int | str) -> None:
    mail.person(1, language="en")
    mail.launch(("en",))
    mail.send()
    answers = [mail.write(sender, "HELP").answer for _ in range(ANSWERS_A_DAY + 4)]
    assert [answer is not None for answer in answers] == [True] * ANSWERS_A_DAY + [False] * 4


def test_the_same_text_delivered_twice_is_kept_obeyed_and_answered_once(mail: Correspondence) -> None:
    mail.person(1)
    mail.launch()
    mail.send()
    sid = f"SM{'f' * 32}"
    assert mail.write(1, "AYUDA", sid).answer
    again = mail.write(1, "AYUDA", sid)
    assert (again.new, again.answer) == (False, None)
    assert mail.one("count(*)", "reply") == "1"


def test_a_reply_that_comes_before_its_delivery_report_counts_all_the_same(stage: Stage) -> None:
    stage.cast(1)
    stage.plan()
    stage.control.fault("late", ms=300)
    stage.dispatch()
    stage.control.answer(phone(0), "1")
    stage.callbacks(within=0.05)
    assert stage.outcomes() == {"told": 1}
    stage.callbacks()
    stage.run_until_quiet()
    assert stage.outcomes() == {"told": 1}
    stage.check_promises()


def test_stop_over_the_air_ends_the_phone_and_the_carrier_agrees(stage: Stage) -> None:
    stage.cast(2, waits=(0, 24))
    stage.run_until_quiet()
    stage.control.answer(phone(0), "STOP")
    stage.control.answer(phone(1), "ALTO")  # the carrier does not know this word: only we do
    stage.callbacks()
    stage.execute("update campaign set launched_at = launched_at - interval '2 days'")
    stage.run_until_quiet()
    assert stage.accepted() == 2
    assert {stage.contact(n).state for n in (0, 1)} == {"opted_out"}


def test_one_text_delivered_many_times_at_once_is_answered_once(stage: Stage) -> None:
    stage.cast(1, languages=("es", "en"))
    stage.run_until_quiet()

    def receive(sender: str) -> str | None:
        with stage.sessions.begin() as session:
            return reply.receive(session, "twilio", Inbound(f"SM{'a' * 31}{sender[-1]}", sender, "HELP"), HOUSE).answer

    with ThreadPoolExecutor(8) as pool:
        for sender in (phone(0), STRANGER):
            answers = list(pool.map(receive, [sender] * 8))
            assert sum(answer is not None for answer in answers) == 1
    assert stage.scalar("select count(*) from reply") == 2
