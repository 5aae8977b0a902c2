"""Tasks about people whom no step has reached: opened once, with all that was tried, and closed by a person or by what happens."""

import pytest
import sqlalchemy as sa

from outreach.access.audit import AuditEntry
from outreach.access.sealing import erase
from outreach.campaigns.campaign import CampaignState, Step
from outreach.delivery import exhausted, task
from outreach.delivery.exhausted import AlreadyClosed, NoNote, Resolution
from outreach.delivery.task import Query, Task
from outreach.notices.channel import Channel
from outreach.people.custody import Custody
from outreach.people.file import Permit
from outreach.people.person import Person
from tests.delivery.office import Office, office
from tests.delivery.test_ladder import came_to, come_the_time_of, move_on, reachable

__all__ = ["office"]


def settle(office: Office) -> tuple[int, int]:
    return exhausted.open_and_close(office.session)


def of(office: Office, person: Person) -> list[str | None]:
    """The resolutions of the person's tasks, None for one that is open."""
    found = office.session.scalars(sa.select(Task).where(Task.person_id == person.id).order_by(Task.opened_at, Task.id))
    return [one.resolution for one in found.all()]


def only_task(office: Office) -> Task:
    return office.session.scalars(sa.select(Task).execution_options(populate_existing=True)).one()


def test_one_task_is_opened_when_no_step_is_left_that_could_reach_the_person(office: Office) -> None:
    ana = reachable(office, 1)
    office.launch(Channel.SMS, (Channel.EMAIL, 48), (Channel.HAND, 96), (Channel.ATTORNEY_EMAIL, 96))
    came_to(office, ana, "failed", "bad_contact")
    assert settle(office) == (0, 0), "an e-mail is to come"
    move_on(office)
    came_to(office, ana, "failed", "refused")
    assert settle(office) == (1, 0), "what is to come is for people in custody, and for attorneys"
    assert settle(office) == (0, 0)
    assert of(office, ana) == [None]


@pytest.mark.parametrize("custody", [Custody.DETAINED, Custody.RELEASED])
def test_whom_a_campaign_leaves_out_or_nobody_knows_a_way_to_stands_on_its_list_and_has_no_task(
    office: Office, custody: Custody
) -> None:
    ana = office.person(custody)
    office.launch(Channel.SMS)
    assert office.standing(ana) in ("exhausted:no_contact", "excluded:in_custody")
    assert settle(office) == (0, 0)


def test_a_way_that_may_not_be_used_is_a_task_though_nothing_was_tried(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1, state="opted_out")
    office.launch(Channel.SMS)
    assert (settle(office), of(office, ana)) == ((1, 0), [None])


@pytest.mark.parametrize("happens", ["delivered late", "told", "a new message"])
def test_the_engine_closes_what_is_settled(office: Office, happens: str) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    came_to(office, ana, "failed", "bad_contact")
    assert settle(office) == (1, 0)
    if happens == "told":
        office.session.execute(sa.text("update outcome set state = 'told', reason = null"))
    elif happens == "delivered late":
        came_to(office, ana, "delivered")
    else:
        assert office.campaign
        office.email(ana)
        office.session.add(Step(campaign_id=office.campaign.id, position=2, channel=Channel.EMAIL, wait_hours=0))
        office.session.flush()
        come_the_time_of(office, 2)
    assert settle(office) == (0, 1)
    closed = only_task(office)
    assert (closed.resolution, closed.closed_by) == ("settled", None)


def test_a_task_that_was_closed_stays_closed_until_something_else_was_tried(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    came_to(office, ana, "failed", "bad_contact")
    settle(office)
    exhausted.close(office.session, only_task(office).id, Resolution.UNREACHABLE, "Nobody there knows her.", by=office.by)
    assert settle(office) == (0, 0)
    office.session.execute(sa.text("update outcome set updated_at = updated_at + interval '1 day'"))
    assert settle(office) == (1, 0)
    assert of(office, ana) == ["unreachable", None]


@pytest.mark.parametrize("state", [CampaignState.STOPPED, CampaignState.DONE])
def test_a_campaign_that_was_stopped_opens_no_tasks_and_one_that_is_done_still_does(office: Office, state: CampaignState) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    came_to(office, ana, "failed", "bad_contact")
    office.session.execute(sa.text("update campaign set state = :state, finished_at = now()"), {"state": state})
    assert settle(office) == ((1, 0) if state is CampaignState.DONE else (0, 0))


def test_closing_keeps_who_did_what_and_seals_the_words(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    came_to(office, ana, "failed", "bad_contact")
    settle(office)
    opened = only_task(office)
    with pytest.raises(NoNote):
        exhausted.close(office.session, opened.id, Resolution.OTHER, "  ", by=office.by)
    exhausted.close(office.session, opened.id, Resolution.TOLD_OTHERWISE, "Told her at the desk.", by=office.by)
    with pytest.raises(AlreadyClosed):
        exhausted.close(office.session, opened.id, Resolution.OTHER, "Again.", by=office.by)
    assert opened.note_sealed is not None
    assert b"desk" not in opened.note_sealed
    seen = exhausted.open_task(office.session, opened.id, Permit((ana.id,)))
    assert (seen.note, seen.closed_by, seen.outcome) == ("Told her at the desk.", office.by.name, "exhausted")
    entry = office.session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "task.close")).one()
    assert entry.object_id == opened.id
    erase(office.session, ana.id)
    assert exhausted.open_task(office.session, opened.id, Permit((ana.id,))).note is None


def test_an_open_task_shows_all_that_was_tried_and_what_was_skipped_and_why(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1), office.email(ana, state="opted_out")
    office.launch(Channel.SMS, (Channel.EMAIL, 24), (Channel.LETTER, 48), (Channel.HAND, 48))
    assert office.claim_texts() == 1
    office.session.execute(sa.text("update attempt set state = 'refused', error_code = '21211'"))
    came_to(office, ana, "failed", "bad_contact")
    move_on(office)
    assert settle(office) == (1, 0)
    assert office.standing(ana) == "exhausted:opted_out"
    seen = exhausted.open_task(office.session, only_task(office).id, Permit((ana.id,)))
    text, mail, letter = seen.rungs
    (message,) = text.messages
    (tried,) = message.tries
    assert (message.state, tried.state, tried.code) == ("failed", "refused", "21211")
    assert (mail.channel, mail.messages, mail.refusal) == ("email", (), "opted_out")
    assert (letter.channel, letter.refusal) == ("letter", "no_address")


def test_the_list_shows_open_tasks_oldest_first_and_closed_ones_newest_first(office: Office) -> None:
    people = [office.person() for _ in range(3)]
    for number, person in enumerate(people):
        office.phone(person, number)
    office.launch(Channel.SMS)
    for person in people:
        came_to(office, person, "failed", "bad_contact")
    settle(office)
    age = sa.text("update task set opened_at = now() - :days * interval '1 day' where person_id = :id")
    for days, person in enumerate(people):
        office.session.execute(age, {"days": days, "id": person.id})
    found, total = task.lines(office.session, Query(), limit=2, offset=0)
    assert (total, [line.person_id for line in found]) == (3, [people[2].id, people[1].id])
    assert [line.reason for line in found] == ["bad_contact", "bad_contact"]
    exhausted.close(office.session, found[0].id, Resolution.OTHER, "A note.", by=office.by)
    assert task.open_by_kind(office.session) == {"exhausted": 2}
    (closed,), _ = task.lines(office.session, Query(closed=True), limit=2, offset=0)
    assert (closed.person_id, closed.resolution, closed.closed_by) == (people[2].id, "other", office.by.name)
    assert office.campaign
    assert [campaign_id for campaign_id, _ in task.campaigns(office.session)] == [office.campaign.id]
