"""Plainly fictional things to test with: `make_<noun>(session, **overrides)` adds one, flushed, and returns it."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access import accounts
from outreach.access.accounts import Account, Role
from outreach.access.audit import COMMAND
from outreach.access.sealing import create_key, key_for, vault_of
from outreach.campaigns.campaign import Campaign, CampaignState, Step
from outreach.campaigns.outcome import Outcome, OutcomeState, Reason
from outreach.db import new_id, now
from outreach.delivery import print_room, return_code
from outreach.delivery.letter import PrintRun, RunKind, RunState
from outreach.delivery.message import Attempt, Message, MessagePerson, MessageState
from outreach.delivery.print_room import SetLetter
from outreach.delivery.reply import Binding, Reply
from outreach.delivery.words import ReplyKind
from outreach.notices.notice import Channel, Notice, Rendition, RenditionState
from outreach.people.attorney import AppearanceForm, Attorney, Representation, Source, record
from outreach.people.attorney.particulars import Particulars
from outreach.people.contact import AddressGrade, ContactKind, ContactPoint, ContactRole, PersonContact, Safety
from outreach.people.custody import Custody, CustodyEvent, Facility
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
    """A contact point that these people use. Phones are from the range kept for fiction. Family has a consent on file."""
    number = next(_numbers)
    value = value or f"+1{203 + number // 100 % 7}555{100 + number % 100:04}"  # none of +1 202, which tests choose from
    contact_id = new_id()
    sealed = create_key(session, contact_id).seal("contact_point.value", contact_id, value)
    index = vault_of(session).blind_index(kind, value) if kind != ContactKind.POST else None
    point = ContactPoint(id=contact_id, kind=kind, value_sealed=sealed, value_index=index, **columns)
    session.add(point)
    session.flush()
    consent = date(2022, 12, 1) if role == ContactRole.FAMILY else None
    links = {"contact_point_id": contact_id, "role": role, "safety": safety, "consent_on": consent}
    session.add_all(PersonContact(person_id=p.id, **links) for p in people)
    session.flush()
    return point


def make_attorney(session: Session, **overrides: str | None) -> Attorney:
    """An attorney with an EOIR ID and an e-mail address of their own. `overrides` are particulars, normalised."""
    number = next(_numbers)
    values: dict[str, Any] = {"name": f"Sample Counsel {number}", "eoir_id": f"ZZ{number:06}"}
    values |= {"email": f"counsel.{number}@example.org"}
    return session.get_one(Attorney, record.enter(session, Particulars(**(values | overrides)), by=COMMAND))


def make_representation(session: Session, person: Person, attorney: Attorney, **overrides: Any) -> Representation:
    """A live representation: verified, and not ended. `overrides` are its columns; `verified=False` leaves it to be verified."""
    values: dict[str, Any] = {"form": AppearanceForm.G28, "source": Source.STAFF}
    if overrides.pop("verified", True):
        values |= {"verified_by": make_account(session).id, "verified_at": now()}
    found = Representation(id=new_id(), person_id=person.id, attorney_id=attorney.id, **(values | overrides))
    session.add(found)
    session.flush()
    return found


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


def make_rendition(session: Session, notice: Notice, language: str = "es", *, approved: bool = True, **overrides: Any) -> Rendition:
    """A harmless text of the notice, by an officer of its own; approved by somebody else unless `approved` is False."""
    values: dict[str, Any] = {
        "channel": Channel.SMS,
        "language": language,
        "version": 1,
        "text": "((program)): ((phone))",
        "state": RenditionState.DRAFT,
    }
    if "drafted_by" not in overrides:
        values["drafted_by"] = make_account(session).id
    if approved:
        approver = overrides.get("approved_by") or make_account(session, Role.APPROVER).id
        values |= {
            "state": RenditionState.APPROVED, "approved_by": approver, "approved_at": now(), "policy": "test",
            "approval_note": "Sample REVIEWER",
        }  # fmt: skip
    rendition = Rendition(id=new_id(), notice_id=notice.id, **(values | overrides))
    session.add(rendition)
    session.flush()
    return rendition


def make_message(
    session: Session, campaign: Campaign, contact: ContactPoint, *people: Person, text: str = "A message", **overrides: Any
) -> Message:
    """A text of the campaign's first step to that phone, tried once unless `attempts` is 0.

    `overrides` are its columns; `code`, `started_at` and `checked_at` are of the attempt, which stands as the message does.
    """
    step = session.scalar(sa.select(Step).where(Step.campaign_id == campaign.id, Step.position == 1))
    if step is None:
        step = Step(id=new_id(), campaign_id=campaign.id, position=1, channel=Channel.SMS)
        session.add(step)
    language = overrides.get("language", "es")
    rendition = session.scalar(
        sa.select(Rendition).where(Rendition.notice_id == campaign.notice_id, Rendition.language == language)
    )
    if rendition is None:
        rendition = make_rendition(session, session.get_one(Notice, campaign.notice_id), language)
    session.flush()
    code, started_at = overrides.pop("code", None), overrides.pop("started_at", now())
    checked_at = overrides.pop("checked_at", None)
    values: dict[str, Any] = {"language": language, "state": MessageState.DELIVERED, "attempts": 1, "channel": Channel.SMS}
    message = Message(
        id=new_id(), step_id=step.id, campaign_id=campaign.id, contact_point_id=contact.id, rendition_id=rendition.id,
        **(values | overrides),
    )  # fmt: skip
    session.add(message)
    session.flush()
    session.add_all(MessagePerson(message_id=message.id, person_id=person.id) for person in people)
    if message.attempts:
        token = uuid4()
        states = {MessageState.SUBMITTING: "open", MessageState.FAILED: "refused", MessageState.READY: "not_sent"}
        session.add(
            Attempt(
                id=token, message_id=message.id, number=1, contact_point_id=contact.id, channel=Channel.SMS, provider="twilio",
                state=states.get(MessageState(message.state), message.state), body_digest=b"-", segments=1, error_code=code,
                body_sealed=key_for(session, contact.id).seal("attempt.body", token, text), started_at=started_at,
                lease_until=started_at, checked_at=checked_at,
            )
        )  # fmt: skip
    session.flush()
    return message


def make_reply(session: Session, sender: str, text: str = "Hello", *people: Person, **overrides: Any) -> Reply:
    """A text from that phone (E.164), or a mail where it has an @. Bound to the one person given; of several, to nobody yet.

    `overrides` are its columns.
    """
    reply_id = new_id()
    key = create_key(session, reply_id)
    channel, kind = (Channel.EMAIL, "email") if "@" in sender else (Channel.SMS, "phone")
    index = vault_of(session).blind_index(kind, sender)
    contact_id = session.scalar(sa.select(ContactPoint.id).where(ContactPoint.value_index == index))
    bindings = {0: Binding.STRANGER, 1: Binding.ONLY_PERSON}
    values: dict[str, Any] = {
        "channel": channel, "provider": "twilio", "provider_id": f"SM{reply_id.hex}", "contact_point_id": contact_id,
        "kind": ReplyKind.TEXT, "binding": bindings.get(len(people), Binding.SHARED),
        "person_id": people[0].id if len(people) == 1 else None,
    }  # fmt: skip
    reply = Reply(
        id=reply_id, sender_index=index, sender_sealed=key.seal("reply.sender", reply_id, sender),
        body_sealed=key.seal("reply.body", reply_id, text), **(values | overrides),
    )  # fmt: skip
    session.add(reply)
    session.flush()
    return reply


def make_facility(session: Session, **overrides: Any) -> Facility:
    """A place of detention with a mailing address. `overrides` are its columns."""
    number = next(_numbers)
    if "post_point_id" not in overrides:
        lines = f"{number} Example Road\nSpringfield, IL 62701"
        overrides["post_point_id"] = make_contact(session, value=lines, kind=ContactKind.POST, grade=AddressGrade.GOOD).id
    facility = Facility(id=new_id(), **({"code": f"FAC{number}", "name": f"Sample Facility {number}"} | overrides))
    session.add(facility)
    session.flush()
    return facility


def make_paper(
    session: Session, campaign: Campaign, person: Person, contact: ContactPoint, channel: Channel = Channel.LETTER, **overrides: Any
) -> Attempt:
    """A letter to the person that was claimed and not set yet: its attempt, open. `overrides` are the attempt's columns."""
    step = session.scalar(sa.select(Step).where(Step.campaign_id == campaign.id, Step.channel == channel))
    if step is None:
        position = 1 + (session.scalar(sa.select(sa.func.count()).select_from(Step).where(Step.campaign_id == campaign.id)) or 0)
        step = Step(id=new_id(), campaign_id=campaign.id, position=position, channel=channel)
        session.add(step)
    rendition = session.scalar(sa.select(Rendition).where(Rendition.notice_id == campaign.notice_id, Rendition.language == "es"))
    if rendition is None:
        rendition = make_rendition(session, session.get_one(Notice, campaign.notice_id))
    session.flush()
    message = Message(
        id=new_id(), step_id=step.id, campaign_id=campaign.id, contact_point_id=contact.id, rendition_id=rendition.id,
        person_id=person.id, channel=channel, language="es", state=MessageState.SUBMITTING, attempts=1,
    )  # fmt: skip
    token = uuid4()
    session.add(message)
    session.flush()
    session.add(MessagePerson(message_id=message.id, person_id=person.id))
    values: dict[str, Any] = {
        "provider": "print_room", "state": "open", "body_digest": b"-", "segments": 1, "lease_until": now() + timedelta(minutes=5),
        "body_sealed": key_for(session, person.id).seal("attempt.body", token, "{}"), "sealed_under": person.id,
    }  # fmt: skip
    attempt = Attempt(
        id=token, message_id=message.id, number=1, contact_point_id=contact.id, channel=channel, **(values | overrides)
    )
    session.add(attempt)
    session.flush()
    return attempt


def set_letters(session: Session, attempts: Sequence[Attempt], facility: Facility | None = None) -> list[SetLetter]:
    """These attempts as a typesetter would have set them, one page each."""
    people = {
        m.id: m.person_id for m in session.scalars(sa.select(Message).where(Message.id.in_([a.message_id for a in attempts])))
    }
    return [
        SetLetter(
            attempt_id=attempt.id, person_id=people[attempt.message_id], facility_id=facility.id if facility else None,
            return_code=return_code.new(), reference=f"REF-{number}", pages=1, pdf_sha256="00" * 32, sequence=number,
        )
        for number, attempt in enumerate(attempts, start=1)
    ]  # fmt: skip


def make_run(
    session: Session,
    campaign: Campaign,
    *people: Person,
    facility: Facility | None = None,
    kind: RunKind = RunKind.POST,
    state: RunState = RunState.MADE,
    by: Account | None = None,
) -> PrintRun:
    """A print run with a letter to each of these people: to the facility, or to an address that is theirs alone.

    Each letter is a page with its return code on it, and nothing else.
    """
    attempts = []
    for person in people:
        if session.get(Outcome, (campaign.id, person.id)) is None:
            make_outcome(session, campaign, person, OutcomeState.PLANNED)
        if facility is not None and facility.post_point_id is not None:
            contact = session.get_one(ContactPoint, facility.post_point_id)
        else:
            street = f"{next(_numbers)} Example Street"
            contact = make_contact(session, person, value=street, kind=ContactKind.POST, safety=Safety.YES, grade=AddressGrade.GOOD)
        attempts.append(make_paper(session, campaign, person, contact, Channel.HAND if kind == RunKind.HAND else Channel.LETTER))
    letters = set_letters(session, attempts, facility)
    pdf = make_pdf(*(one.return_code for one in letters))
    run = print_room.add_run(session, kind, campaign.id, facility.id if facility else None, letters, pdf, len(letters))
    by = by or make_account(session)
    if state in (RunState.PRINTED, RunState.ENVELOPED, RunState.HANDED_OVER):
        print_room.mark_printed(session, run.id, by=by)
    if state in (RunState.ENVELOPED, RunState.HANDED_OVER):
        print_room.mark_enveloped(session, run.id, by=by)
    if state == RunState.HANDED_OVER:
        print_room.hand_over(session, run.id, on=now().date(), by=by)
    session.flush()
    return run


def make_pdf(*pages: str) -> bytes:
    """A file with one line of text on each of its pages."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, line in enumerate(pages):
        words = f"BT /F1 12 Tf 72 700 Td ({line}) Tj ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] {resources} /Contents {5 + 2 * number} 0 R >>")
        objects.append(f"<< /Length {len(words)} >>\nstream\n{words}\nendstream")
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode()
