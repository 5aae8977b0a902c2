"""How a person moves down a ladder: at once where nothing can come any more, else at each step's time."""

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from outreach import jobs
from outreach.campaigns.campaign import Step
from outreach.db import new_id, now
from outreach.delivery import advance
from outreach.delivery.projection import project
from outreach.notices.channel import Channel
from outreach.people.contact import ContactRole, PersonContact, Safety
from outreach.people.custody import Custody
from outreach.people.imminent import ImminentRemoval
from outreach.people.person import Person
from tests.delivery.office import Office, office
from tests.factories import make_account
from tests.stage import Stage

__all__ = ["office"]

GRACE = advance.Grace(text=timedelta(hours=24), mail=timedelta(hours=72))
TEXT_THEN_MAIL_THEN_LETTER = (Channel.SMS, (Channel.EMAIL, 48), (Channel.LETTER, 96))


def move_on(office: Office) -> int:
    return sum(advance.advance(office.session, step, GRACE) for step in advance.steps_ahead(office.session))


def came_to(office: Office, person: Person, state: str, reason: str | None = None, *, due: str | None = None, ago: int = 0) -> None:
    """What became of the person's newest message, `ago` hours ago."""
    newest = """
        select m.id from message m join message_person mp on mp.message_id = m.id
        where mp.person_id = :person order by m.created_at desc, m.id desc limit 1
    """
    message = office.session.scalar(sa.text(newest), {"person": person.id})
    if state not in ("ready", "cancelled", "blocked"):
        tried = sa.text("update message set state = 'submitting', attempts = 1 where id = :id and state = 'ready'")
        office.session.execute(tried, {"id": message})
    office.session.execute(
        sa.text("""
            update message set state = :state, reason = :reason, due_at = now() + cast(:due as interval),
                updated_at = now() - :ago * interval '1 hour' where id = :id
        """),
        {"state": state, "reason": reason, "due": due, "id": message, "ago": ago},
    )
    project(office.session, [message])


def come_the_time_of(office: Office, position: int) -> None:
    office.session.execute(sa.update(Step).where(Step.position <= position).values(wait_hours=0))
    office.plan()


def reachable(office: Office, number: int) -> Person:
    person = office.person()
    office.phone(person, number), office.email(person), office.address(person)
    return person


OVER = [
    ("failed", "bad_contact"), ("failed", "refused"), ("undelivered", "not_delivered"), ("blocked", "blocked"),
    ("returned", "returned"), ("cancelled", "opted_out"),
]  # fmt: skip


def test_who_was_not_reached_for_good_gets_the_next_step_at_once_and_the_others_at_its_time(office: Office) -> None:
    people, bo = [reachable(office, number) for number in range(len(OVER))], reachable(office, 50)
    office.launch(*TEXT_THEN_MAIL_THEN_LETTER)
    for person, (state, reason) in zip(people, OVER, strict=True):
        came_to(office, person, state, reason)
    assert move_on(office) == len(OVER)
    assert move_on(office) == 0
    for person, (state, _) in zip(people, OVER, strict=True):
        assert (office.messages(person), office.standing(person)) == (["email:ready", f"sms:{state}"], "planned")
    assert office.messages(bo) == ["sms:ready"]
    come_the_time_of(office, 2)
    for person, (state, _) in zip(people, OVER, strict=True):
        assert office.messages(person) == ["email:ready", f"sms:{state}"]
    assert office.messages(bo) == ["email:ready", "sms:ready"]


def test_who_may_still_be_reached_or_was_waits_for_the_steps_time(office: Office) -> None:
    states = [("ready", None, 0), ("submitting", None, 30), ("undelivered", "30 minutes", 30), ("delivered", None, 90),
              ("unknown", None, 23), ("accepted", None, 23), ("sent", None, 23)]  # fmt: skip
    people = [reachable(office, number) for number in range(len(states))]
    office.launch(*TEXT_THEN_MAIL_THEN_LETTER)
    for person, (state, due, ago) in zip(people, states, strict=True):
        came_to(office, person, state, due=due, ago=ago)
    before = [office.standing(person) for person in people]
    assert move_on(office) == 0
    assert [office.messages(person) for person in people] == [[f"sms:{state}"] for state, *_ in states]
    assert [office.standing(person) for person in people] == before


def test_a_report_that_is_missing_after_its_grace_moves_on_and_the_message_still_counts(office: Office) -> None:
    ana, bo, cleo = (reachable(office, number) for number in range(3))
    office.launch(*TEXT_THEN_MAIL_THEN_LETTER)
    for person, state in ((ana, "accepted"), (bo, "sent"), (cleo, "unknown")):
        came_to(office, person, state, ago=25)
    assert move_on(office) == 3
    assert (office.messages(ana), office.standing(ana)) == (["email:ready", "sms:accepted"], "in_progress")
    assert [office.standing(person) for person in (bo, cleo)] == ["in_progress", "in_progress"]
    came_to(office, ana, "sent", ago=71)
    assert move_on(office) == 0, "a mail has 72 hours"
    came_to(office, ana, "sent", ago=73)
    assert move_on(office) == 1
    came_to(office, ana, "sent", ago=2000)
    assert (move_on(office), office.standing(ana)) == (0, "in_progress")


def test_a_letter_on_its_way_holds_nobody_to_have_failed(office: Office) -> None:
    ana = office.person()
    office.address(ana), office.phone(ana, 1)
    office.launch(Channel.LETTER, (Channel.SMS, 96))
    came_to(office, ana, "sent", ago=2000)
    assert move_on(office) == 0


def test_steps_that_cannot_reach_a_person_are_skipped_at_once_and_the_telling_reason_stays(office: Office) -> None:
    ana, bo, cleo = office.person(), office.person(), office.person(language="en")
    office.address(ana), office.phone(bo, 2), office.phone(cleo, 3)
    refused = office.email(cleo, role=ContactRole.FAMILY, safety=Safety.YES)
    office.session.execute(sa.update(PersonContact).where(PersonContact.contact_point_id == refused.id).values(consent_on=None))
    office.session.execute(sa.text("delete from rendition where language = 'en' and channel = 'sms'"))
    office.launch(*TEXT_THEN_MAIL_THEN_LETTER)
    assert (office.standing(ana), office.standing(cleo)) == ("exhausted:no_contact", "excluded:needs_translation")
    came_to(office, bo, "failed", "bad_contact")
    assert move_on(office) == 1
    assert (office.messages(ana), office.standing(ana)) == (["letter:ready"], "planned")
    assert (office.messages(bo), office.standing(bo)) == (["sms:failed"], "exhausted:bad_contact")
    assert office.standing(cleo) == "exhausted:needs_consent"
    came_to(office, bo, "delivered")
    assert office.standing(bo) == "reached", "a late report still counts"


def test_who_was_tried_is_not_called_left_out_by_a_step_that_is_not_for_them(office: Office) -> None:
    ana = reachable(office, 1)
    office.session.execute(sa.text("delete from rendition where channel = 'email'"))
    office.launch(Channel.SMS, (Channel.EMAIL, 48))
    came_to(office, ana, "failed", "bad_contact")
    assert move_on(office) == 0
    assert office.standing(ana) == "exhausted:bad_contact"
    came_to(office, ana, "delivered")
    assert office.standing(ana) == "reached"


def test_the_wait_before_the_first_step_for_ones_custody_is_kept(office: Office) -> None:
    ana = office.person(Custody.DETAINED, "Sample Center")
    office.launch(Channel.SMS, (Channel.LETTER, 24), (Channel.HAND, 48))
    assert office.standing(ana) == "excluded:in_custody"
    assert move_on(office) == 0
    come_the_time_of(office, 2)
    came_to(office, ana, "blocked", "missing_glyph")
    assert move_on(office) == 1
    assert office.messages(ana) == ["hand:ready", "letter:blocked"]


def test_a_phone_that_two_people_share_is_texted_once_about_both_whoever_moves_on_first(office: Office) -> None:
    ana, bo, cleo = (office.person() for _ in range(3))
    for person in (ana, bo):
        office.email(person)
    shared = office.phone(ana, 1)
    office.session.add_all(PersonContact(person_id=p.id, contact_point_id=shared.id, role=ContactRole.OWN) for p in (bo, cleo))
    office.launch(Channel.EMAIL, (Channel.SMS, 48))
    came_to(office, ana, "failed", "bad_contact")
    assert move_on(office) == 1
    assert office.messages(ana) == ["email:failed", "sms:ready"]
    assert office.messages(bo) == ["email:ready", "sms:ready"]
    assert office.messages(cleo) == ["sms:ready"]
    come_the_time_of(office, 2)
    assert office.messages() == ["email:failed", "email:ready", "sms:ready"]
    assert office.claim_texts() == 1


def test_nobody_is_planned_without_a_message_where_the_phone_was_texted_early(office: Office) -> None:
    ana, bo = office.person(), office.person()
    office.email(ana), office.email(bo)
    shared = office.phone(ana, 1)
    office.launch(Channel.EMAIL, (Channel.SMS, 48))
    came_to(office, ana, "failed", "bad_contact")
    assert move_on(office) == 1
    office.session.add(PersonContact(person_id=bo.id, contact_point_id=shared.id, role=ContactRole.OWN))
    came_to(office, bo, "failed", "bad_contact")
    assert move_on(office) == 0
    come_the_time_of(office, 2)
    assert (office.messages(bo), office.standing(bo)) == (["email:failed"], "exhausted:bad_contact")
    planned = (
        "select count(*) from outcome o where state = 'planned' and not exists (select 1 from message_person mp join message m"
    )
    waiting = " on m.id = mp.message_id where mp.person_id = o.person_id and m.state = 'ready')"
    assert office.session.scalar(sa.text(planned + waiting)) == 0


def test_a_message_that_was_cancelled_about_one_person_is_sent_for_another_at_the_steps_time(office: Office) -> None:
    ana, bo = office.person(), office.person()
    office.email(ana), office.email(bo)
    shared = office.phone(ana, 1)
    office.launch(Channel.EMAIL, (Channel.SMS, 48))
    came_to(office, ana, "failed", "bad_contact")
    assert move_on(office) == 1
    came_to(office, ana, "cancelled", "told")
    office.session.execute(sa.text("update outcome set state = 'told', reason = null where person_id = :id"), {"id": ana.id})
    office.session.add(PersonContact(person_id=bo.id, contact_point_id=shared.id, role=ContactRole.OWN))
    come_the_time_of(office, 2)
    assert office.messages(bo) == ["email:ready", "sms:ready"]
    assert office.claim_texts() == 1
    assert office.messages(ana) == ["email:failed"], "it is not about her any more"


def make_imminent(office: Office, person: Person, *, approved: bool = True) -> None:
    other = make_account(office.session)
    office.session.add(
        ImminentRemoval(
            id=new_id(), person_id=person.id, reason_sealed=b"-", asked_by=office.by.id, until=now() + timedelta(days=2),
            approved_by=other.id if approved else None, approved_at=now() if approved else None,
        )
    )  # fmt: skip
    office.session.flush()


def test_who_is_about_to_be_removed_gets_every_step_at_once_and_so_do_their_attorneys(office: Office) -> None:
    ana, bo, cleo = (office.person(Custody.DETAINED, "Sample Center") for _ in range(3))
    counsel = office.attorney()
    for person in (ana, bo, cleo):
        office.represented(person, counsel)
    office.launch(Channel.HAND, (Channel.LETTER, 24), (Channel.ATTORNEY_EMAIL, 48), (Channel.ATTORNEY_LETTER, 72))
    make_imminent(office, ana)
    make_imminent(office, bo, approved=False)
    assert move_on(office) == 3
    assert move_on(office) == 0
    assert office.messages(ana) == ["attorney_email:ready", "attorney_letter:ready", "hand:ready", "letter:ready"]
    assert office.messages(bo) == ["hand:ready"]
    assert office.counsel(ana) == ["planned"]
    assert [mail.to.address for mail in office.claim_mails(Channel.ATTORNEY_EMAIL)] != []
    come_the_time_of(office, 4)
    assert office.counsel(bo) == office.counsel(cleo) == ["planned"], "their attorney hears about them as planned"
    about = sa.text("""
        select count(*) from message_person mp join message m on m.id = mp.message_id
        where m.channel = 'attorney_email' group by m.id order by 1
    """)
    assert office.session.scalars(about).all() == [1, 2]
    assert len(office.claim_mails(Channel.ATTORNEY_EMAIL)) == 0, "one undecided mail a mailbox"


def test_who_is_transferred_while_their_removal_is_imminent_is_written_to_at_the_new_place_at_once(office: Office) -> None:
    ana = office.person(Custody.DETAINED, "Sample Center")
    office.launch(Channel.HAND, (Channel.LETTER, 24))
    make_imminent(office, ana)
    assert move_on(office) == 1
    office.moved(ana, Custody.DETAINED, "Other Center")
    assert office.claim_letters() == []
    assert move_on(office) == 1
    (letter,) = office.claim_letters()
    assert letter.content.recipient[1] == "Other Center"


def test_two_sweeps_at_once_and_a_step_whose_time_came_meanwhile_decide_once(office: Office) -> None:
    ana = reachable(office, 1)
    office.launch(*TEXT_THEN_MAIL_THEN_LETTER)
    came_to(office, ana, "failed", "bad_contact")
    steps: list[UUID] = advance.steps_ahead(office.session)
    come_the_time_of(office, 2)
    assert [advance.advance(office.session, step, GRACE) for step in steps] == [0, 0]
    assert office.messages(ana) == ["email:ready", "sms:failed"]


def test_a_sweep_moves_on_whom_the_carrier_refused_and_opens_a_task_when_nothing_is_left(stage: Stage) -> None:
    stage.cast(1, waits=(0, 72))
    stage.plan()
    for tasks in (0, 1):
        stage.control.fault("refuse", next=1, code=29999)
        assert stage.dispatch() == 1
        jobs.sweep_once(stage.machine)
        assert stage.scalar("select count(*) from task") == tasks
    assert stage.scalar("select count(*) from message where state = 'failed'") == 2
    assert stage.scalar("select planned_at is null from step where position = 2")
