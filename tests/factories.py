"""Plainly fictional things to test with: `make_<noun>(session, **overrides)` adds one, flushed, and returns it."""

from datetime import date
from itertools import count

import pyotp
from sqlalchemy.orm import Session

from outreach.access import accounts
from outreach.access.accounts import Account, Role
from outreach.access.audit import COMMAND
from outreach.access.sealing import create_key, vault_of
from outreach.campaigns.campaign import Campaign, CampaignState
from outreach.campaigns.outcome import Outcome, OutcomeState, Reason
from outreach.db import new_id
from outreach.notices.notice import Notice
from outreach.people.contact import ContactKind, ContactPoint, ContactRole, PersonContact, Safety
from outreach.people.custody import Custody, CustodyEvent
from outreach.people.incident import Exposure, Incident
from outreach.people.person import ANumber, NameKind, Person, PersonName
from outreach.people.roster import imports as _imports  # noqa: F401  # its table is what exposures refer to

PASSWORD = "correct horse battery"
TOTP_SECRET = pyotp.random_base32()

_numbers = count(1)


def make_account(session: Session, role: Role = Role.OFFICER, **overrides: str) -> Account:
    """Signs in with PASSWORD and a code of TOTP_SECRET. `overrides`: login, name, locale."""
    number = next(_numbers)
    made = accounts.create(
        session,
        login=overrides.get("login", f"{role}{number}"),
        name=overrides.get("name", f"Sample {role} {number}"),
        role=role,
        password=PASSWORD,
        totp_secret=TOTP_SECRET,
        by=COMMAND,
    ).account
    made.locale = overrides.get("locale", "en")
    session.flush()
    return made


def make_incident(session: Session, **overrides: object) -> Incident:
    """An incident. `overrides` are its columns."""
    number = next(_numbers)
    values = {"code": f"T-{number}", "title": f"Test incident {number}", "occurred_on": date(2022, 11, 28)}
    incident = Incident(id=new_id(), **(values | overrides))
    session.add(incident)
    session.flush()
    return incident


def make_person(
    session: Session,
    *,
    name: str = "Sample PERSON",
    native: str | None = None,
    a_number: str | None = None,
    birth_date: str | None = "1990-01-01",
    nationality: str | None = "Utopia",
    custody: Custody = Custody.RELEASED,
    incident: Incident | None = None,
    **columns: object,
) -> Person:
    """A person with a name; `columns` are the person's own (language, posture, protected, ...)."""
    person = Person(id=new_id(), **({"language": "es"} | columns))
    key = create_key(session, person.id)
    person.birth_date_sealed = key.seal("person.birth_date", person.id, birth_date) if birth_date else None
    person.birth_precision = "day" if birth_date else None
    person.nationality_sealed = key.seal("person.nationality", person.id, nationality) if nationality else None
    session.add(person)
    session.flush()
    for kind, whole in ((NameKind.RECORDED, name), (NameKind.NATIVE, native)):
        if whole is not None:
            name_id = new_id()
            sealed = key.seal("person_name.whole", name_id, whole)
            session.add(PersonName(id=name_id, person_id=person.id, kind=kind, whole_sealed=sealed))
    if a_number is not None:
        number_id = new_id()
        session.add(
            ANumber(
                id=number_id,
                person_id=person.id,
                value_sealed=key.seal("a_number.value", number_id, a_number),
                value_index=vault_of(session).blind_index("a_number", a_number),
            )
        )
    make_custody_event(session, person, state=custody)
    if incident is not None:
        session.add(Exposure(incident_id=incident.id, person_id=person.id, elements=["name", "birth_date"]))
    session.flush()
    session.refresh(person)
    return person


def make_custody_event(session: Session, person: Person, **overrides: object) -> CustodyEvent:
    """Something known about where a person is."""
    values = {"state": Custody.RELEASED, "as_of": date(2022, 12, 1), "source": "roster"}
    event = CustodyEvent(id=new_id(), person_id=person.id, **(values | overrides))
    session.add(event)
    session.flush()
    return event


def make_contact(
    session: Session,
    *people: Person,
    value: str | None = None,
    kind: ContactKind = ContactKind.PHONE,
    role: ContactRole = ContactRole.OWN,
    safety: Safety = Safety.UNKNOWN,
    **columns: object,
) -> ContactPoint:
    """A contact point that these people use. Phones are from the range kept for fiction."""
    value = value or f"+1202555{100 + next(_numbers) % 100:04}"
    contact_id = new_id()
    sealed = create_key(session, contact_id).seal("contact_point.value", contact_id, value)
    index = vault_of(session).blind_index(kind, value) if kind != ContactKind.POST else None
    point = ContactPoint(id=contact_id, kind=kind, value_sealed=sealed, value_index=index, **columns)
    session.add(point)
    session.flush()
    session.add_all(PersonContact(person_id=p.id, contact_point_id=contact_id, role=role, safety=safety) for p in people)
    session.flush()
    return point


def make_campaign(session: Session, **overrides: object) -> Campaign:
    """A running campaign, by an officer of its own, with a notice of its own."""
    notice = Notice(id=new_id(), title="Test notice")
    session.add(notice)
    session.flush()
    values: dict[str, object] = {
        "title": f"Test campaign {next(_numbers)}",
        "notice_id": notice.id,
        "audience": {"incidents": []},
        "state": CampaignState.RUNNING,
    }
    if "created_by" not in overrides:
        values["created_by"] = make_account(session).id
    campaign = Campaign(id=new_id(), **(values | overrides))
    session.add(campaign)
    session.flush()
    return campaign


def make_outcome(
    session: Session, campaign: Campaign, person: Person, state: OutcomeState, reason: Reason | None = None
) -> Outcome:
    """Where the person stands in the campaign."""
    outcome = Outcome(campaign_id=campaign.id, person_id=person.id, state=state, reason=reason)
    session.add(outcome)
    session.flush()
    return outcome
