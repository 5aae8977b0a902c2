"""A campaign about people of one incident, with approved texts for every channel, and what tests do with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Account, Role
from outreach.access.sealing import create_key
from outreach.campaigns.campaign import Campaign, Step
from outreach.db import new_id, now
from outreach.delivery import plan
from outreach.delivery.claim import Rules, claim
from outreach.delivery.mails import MailRules, mails
from outreach.delivery.paper import ClaimedLetter, PaperRules, claim_letters
from outreach.notices import notice
from outreach.notices.channel import Channel
from outreach.notices.letters import vendors
from outreach.people.attorney import Attorney, Representation
from outreach.people.contact import AddressGrade, ContactKind, ContactPoint
from outreach.people.custody import Custody
from outreach.people.incident import Incident
from outreach.people.person import Person
from outreach.providers.contract import Mail
from tests.delivery.conftest import HOUSE, LEASE
from tests.factories import (
    make_account,
    make_campaign,
    make_contact,
    make_custody_event,
    make_facility,
    make_incident,
    make_person,
    make_rendition,
)
from tests.stage import ANY_HOUR, phone

ADDRESS = "12 Sample Street\nSpringfield, IL 62701"
PAPER = PaperRules(vendors.load("generic_10"), ("Letter Line", "PO Box 5550", "Springfield, IL 62701"), "Office of Notices", True)
LETTER = "# A sample letter\n\nDear ((name)),\n\nyour code is ((code)), your reference ((reference))."
TO_COUNSEL = "# A sample letter\n\nDear ((name)),\n\nabout your clients:\n\n((clients))\n\nReference ((reference))."


@dataclass
class Office:
    """A campaign about people of one incident, with approved texts for every channel, and what a test does with it."""

    session: Session
    incident: Incident
    notice_id: UUID
    by: Account
    campaign: Campaign | None = None
    facilities: dict[str, UUID] = field(default_factory=dict)

    def person(self, custody: Custody = Custody.RELEASED, facility: str | None = None, **columns: Any) -> Person:
        person = make_person(self.session, incident=self.incident, custody=Custody.UNKNOWN, **columns)
        self.moved(person, custody, facility, as_of=date(2022, 12, 2))
        return person

    def moved(self, person: Person, custody: Custody, facility: str | None = None, *, as_of: date | None = None) -> None:
        if facility and facility not in self.facilities:
            self.facilities[facility] = make_facility(self.session, name=facility).id
        make_custody_event(
            self.session, person, state=custody, facility_id=self.facilities.get(facility or ""), as_of=as_of or date(2023, 1, 1),
            recorded_at=now() - timedelta(days=1) if as_of else now(),
        )  # fmt: skip
        self.session.refresh(person)

    def phone(self, person: Person, number: int, **options: object) -> ContactPoint:
        return make_contact(self.session, person, value=phone(number), **options)  # type: ignore[arg-type]  # passed on

    def email(self, *people: Person, value: str | None = None, **options: object) -> ContactPoint:
        value = value or f"sample{new_id().hex[-8:]}@example.org"
        return make_contact(self.session, *people, value=value, kind=ContactKind.EMAIL, **options)  # type: ignore[arg-type]

    def address(self, person: Person, grade: AddressGrade = AddressGrade.GOOD, **options: object) -> ContactPoint:
        return make_contact(self.session, person, value=ADDRESS, kind=ContactKind.POST, grade=grade, **options)  # type: ignore[arg-type]

    def attorney(self, name: str = "Sample COUNSEL", *, email: bool = True, post: bool = True) -> Attorney:
        attorney_id = new_id()
        sealed = create_key(self.session, attorney_id).seal("attorney.name", attorney_id, name)
        attorney = Attorney(id=attorney_id, name_sealed=sealed)
        if email:
            attorney.email_point_id = self.email(value=f"counsel{attorney_id.hex[-8:]}@example.com").id
        if post:
            attorney.post_point_id = make_contact(
                self.session, value="1 Court Square\nSpringfield, IL 62701", kind=ContactKind.POST, grade=AddressGrade.GOOD
            ).id
        self.session.add(attorney)
        self.session.flush()
        return attorney

    def represented(self, person: Person, attorney: Attorney, *, verified: bool = True) -> Representation:
        found = Representation(
            person_id=person.id, attorney_id=attorney.id, form="g28", source="staff", entered_by=self.by.id,
            verified_by=make_account(self.session, Role.APPROVER).id if verified else None, verified_at=now() if verified else None,
        )  # fmt: skip
        self.session.add(found)
        self.session.flush()
        return found

    def end(self, representation: Representation) -> None:
        representation.ended_on, representation.ended_at, representation.ended_as = date(2023, 1, 1), now(), "withdrawn"
        self.session.flush()

    def launch(self, *ladder: Channel | tuple[Channel, int]) -> None:
        self.campaign = make_campaign(
            self.session,
            notice_id=self.notice_id,
            audience={"incidents": [str(self.incident.id)]},
            launched_at=now() - timedelta(minutes=1),
            **ANY_HOUR,
        )
        for position, rung in enumerate(ladder, 1):
            channel, wait = rung if isinstance(rung, tuple) else (rung, 0)
            self.session.add(Step(id=new_id(), campaign_id=self.campaign.id, position=position, channel=channel, wait_hours=wait))
        self.session.flush()
        self.plan()

    def plan(self) -> None:
        while steps := plan.due_steps(self.session):
            plan.plan(self.session, steps[0])

    def standing(self, person: Person) -> str:
        row = self.session.execute(sa.text("select state, reason from outcome where person_id = :id"), {"id": person.id}).one()
        return row.state if row.reason is None else f"{row.state}:{row.reason}"

    def counsel(self, person: Person) -> list[str]:
        rows = self.session.execute(
            sa.text("select state, reason from counsel_outcome where person_id = :id order by state, reason"), {"id": person.id}
        )
        return [row.state if row.reason is None else f"{row.state}:{row.reason}" for row in rows]

    def messages(self, person: Person | None = None) -> list[str]:
        """The channels of the messages (about the person), with their state."""
        about = "where exists (select 1 from message_person mp where mp.message_id = m.id and mp.person_id = :id)" if person else ""
        rows = self.session.execute(
            sa.text(f"select channel, state from message m {about} order by channel, state"), {"id": person.id if person else None}
        )
        return [f"{row.channel}:{row.state}" for row in rows]

    def claim_texts(self) -> int:
        return len(claim(self.session, Channel.SMS, 100, Rules(HOUSE, LEASE, "twilio")).claimed)

    def claim_mails(self, channel: Channel = Channel.EMAIL) -> list[Mail]:
        composer = mails(MailRules("https://outreach.example.org", "reply.example.org"))
        batch = claim(self.session, channel, 100, Rules(HOUSE, LEASE, "sendgrid", composer))
        return [one.envelope for one in batch.claimed if isinstance(one.envelope, Mail)]

    def claim_letters(self, channel: Channel = Channel.LETTER, paper: PaperRules = PAPER) -> list[ClaimedLetter]:
        return claim_letters(self.session, channel, 500, Rules(HOUSE, LEASE, "print_room"), paper)[0]


TEXTS = {
    Channel.SMS: (None, "((program)): ((phone))"),
    Channel.EMAIL: ("A letter for you", "There is a letter for you. Call ((phone))."),
    Channel.LETTER: (None, LETTER),
    Channel.ATTORNEY_EMAIL: ("A letter for you", "There is a letter for you about ((count)) of your files. Call ((phone))."),
    Channel.ATTORNEY_LETTER: (None, TO_COUNSEL),
}


@pytest.fixture
def office(session: Session) -> Office:
    incident, by, approver = make_incident(session), make_account(session), make_account(session, Role.APPROVER)
    said = notice.create(session, title="Sample notice", by=by)
    for channel, (subject, text) in TEXTS.items():
        for language in ("en",) if channel.to_attorney else ("es", "en"):
            make_rendition(
                session, said, language, channel=channel, subject=subject, text=text, drafted_by=by.id, approved_by=approver.id
            )
    return Office(session, incident, said.id, by)


def everybody() -> Sequence[Channel]:
    """Every channel, as a ladder at the launch."""
    return list(Channel)
