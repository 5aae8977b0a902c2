"""Synthetic people in great number, written by COPY as an import leaves them, and a campaign about them.

Everybody can be reached by the campaign's one channel: the case in which planning writes most for each person. One person in twenty
shares the phone (or mailbox, or home) of another.
"""

import itertools
from collections.abc import Iterator
from datetime import date, time
from functools import cache
from uuid import UUID

import psycopg
from sqlalchemy import select

from benchmarks.ground import Place
from outreach import jobs
from outreach.access import accounts
from outreach.access.accounts import Role
from outreach.access.audit import COMMAND
from outreach.access.sealing import FileKeyRing, Vault
from outreach.campaigns import campaign
from outreach.campaigns.campaign import Rung, Step
from outreach.db import new_id, now
from outreach.delivery import plan
from outreach.notices import mail, notice, starter
from outreach.notices.channel import Channel
from outreach.notices.house import House
from outreach.notices.mail import RenderedMail
from outreach.notices.notice import Notice, Purpose, Rendition
from outreach.people.contact import AddressGrade, ContactKind
from outreach.people.incident import Incident
from outreach.people.person import NameKind

BLOCK = 20_000  # people in memory at once
SHARED = 20  # of so many people in a row, the last has the phone of the one before

TABLES = {
    "data_key": ("subject_id", "version", "wrapped"),
    "person": (
        "id", "birth_date_sealed", "birth_precision", "nationality_sealed", "language", "reads", "posture", "protected",
        "custody", "custody_as_of", "created_at",
    ),
    "exposure": ("incident_id", "person_id", "elements", "created_at"),
    "person_name": ("id", "person_id", "kind", "whole_sealed", "created_at"),
    "contact_point": ("id", "kind", "value_sealed", "value_index", "time_zone", "grade", "state", "created_at"),
    "person_contact": ("person_id", "contact_point_id", "role", "safety", "created_at"),
}  # fmt: skip


def phone(number: int) -> str:
    """A number of nobody's. There are fewer 555-01XX than people here, so these are in area codes N9X, which are kept for the
    day when the numbering plan grows: https://www.nanpa.com/numbering/area-codes"""
    return f"+1{number // 70_000_000 + 2}9{number // 7_000_000 % 10}{number % 7_000_000 + 2_000_000:07}"


def mailbox(number: int) -> str:
    return f"person.{number}@example.org"


def home(number: int) -> str:
    return f"{100 + number} Sample Street\nSpringfield, IL 62701"


KINDS = {
    Channel.SMS: (ContactKind.PHONE, phone, "America/New_York", None),
    Channel.EMAIL: (ContactKind.EMAIL, mailbox, None, None),
    Channel.LETTER: (ContactKind.POST, home, None, AddressGrade.GOOD),
}


@cache
def languages() -> tuple[str, ...]:
    """One language a person, over and over: half of them Spanish, the others each of those that have a text."""
    others = sorted({shipped.language for shipped in starter.load()} - {"es"})
    return tuple(itertools.chain.from_iterable(("es", other) for other in others))


def envelopes(count: int, house: House) -> Iterator[tuple[str, str]]:
    """Number and text as the system would send them to so many people, without the system."""
    texts = {s.language: house.render(s.text) for s in starter.load() if s.kind == "notice" and s.channel == Channel.SMS}
    spoken = languages()
    return ((phone(i), texts[spoken[i % len(spoken)]]) for i in range(count))


def mails(count: int, house: House) -> Iterator[tuple[str, RenderedMail]]:
    """Mailbox and mail as the system would send them, one rendering a language, without the system."""
    values = {**house.values, "count": "1", "reference": "BENC-HMARK"}
    stop = "https://outreach.example.org/mail/stop/u-benchmark"
    made = {
        s.language: mail.render(s.subject or "", s.text, s.language, values, stop)
        for s in starter.load()
        if s.kind == "notice" and s.channel == Channel.EMAIL
    }
    spoken = languages()
    return ((mailbox(i), made[spoken[i % len(spoken)]]) for i in range(count))


def fill(place: Place, people: int, channel: Channel = Channel.SMS) -> UUID:
    """Write the people and a running campaign about them by that channel, not planned yet; its step."""
    vault = Vault(FileKeyRing(place.machine.settings.key_ring))
    incident = new_id()
    with place.machine.sessions.begin() as session:
        session.add(Incident(id=incident, code="B-1", title="Benchmark"))
    with place.connect() as connection:
        for start in range(0, people, BLOCK):
            with connection.transaction():
                _copy(connection, _block(vault, incident, channel, range(start, min(start + BLOCK, people))))
        connection.execute("vacuum analyze person, person_name, exposure, contact_point, person_contact, data_key")
    return _launch(place, incident, channel)


def renew(place: Place, step: UUID) -> int:
    """Forget all that was planned and sent, and plan again as the job does; the number of messages."""
    forget(place, step)
    planned = plan_step(place, step)
    refresh_statistics(place)
    return planned


def plan_step(place: Place, step: UUID) -> int:
    """The number of messages."""
    with place.machine.sessions.begin() as session:
        return plan.plan(session, step)


def refresh_statistics(place: Place) -> None:
    """What the job does after planning."""
    with place.machine.sessions.begin() as session:
        plan.refresh_statistics(session)


def forget(place: Place, step: UUID) -> None:
    """Forget all that was planned, sent and reported."""
    with place.connect() as connection, connection.transaction():
        connection.execute("truncate event, attempt, message_person, message, outcome cascade")
        connection.execute("update step set planned_at = null where id = %s", [step])
        connection.execute("update campaign set state = 'running'")


def _launch(place: Place, incident: UUID, channel: Channel) -> UUID:
    with place.machine.sessions.begin() as session:
        officer, approver = (
            accounts.create(session, login=role, name=f"Benchmark {role}", role=role, password="benchmark only", by=COMMAND).account  # noqa: S106  # opens a database that is dropped
            for role in (Role.OFFICER, Role.APPROVER)
        )
        notice.create_starters(session)
        first = session.scalars(select(Notice).where(Notice.purpose == Purpose.NOTICE)).one()
        for draft in session.scalars(select(Rendition.id).where(Rendition.notice_id == first.id)).all():
            notice.approve(session, draft, by=approver, note="For a benchmark only.", house=jobs.house(place.machine.settings))
        made = campaign.create(
            session, title="Benchmark", notice_id=first.id, audience={"incidents": [str(incident)]}, by=officer,
            ladder=(Rung(0, channel),), window=(time(0), time(0)), window_reason="Nobody has these phones.",
        )  # fmt: skip
        submitted = campaign.submit(session, made.id, by=officer)
        assert submitted.submitted_people is not None  # what submit has just set
        campaign.approve(session, made.id, by=approver, people=submitted.submitted_people)
        campaign.launch(session, made.id, by=officer)
        return session.scalars(select(Step.id).where(Step.campaign_id == made.id)).one()


def _block(vault: Vault, incident: UUID, channel: Channel, numbers: range) -> dict[str, list[tuple[object, ...]]]:
    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in TABLES}
    at, as_of, spoken = now(), date(2022, 12, 1), languages()
    kind, address, zone, grade = KINDS[channel]
    contact = new_id()
    for number in numbers:
        person = new_id()
        new = vault.new_key(person)
        birth = new.key.seal("person.birth_date", person, "1990-01-01")
        nationality = new.key.seal("person.nationality", person, "Utopia")
        # Who shares a phone speaks the language of the one it belongs to: families do.
        shares = number % SHARED == SHARED - 1
        language = spoken[(number - shares) % len(spoken)]
        rows["data_key"].append((person, new.version, new.wrapped))
        rows["person"].append((person, birth, "day", nationality, language, True, "in_proceedings", False, "released", as_of, at))
        name = new_id()
        whole = new.key.seal("person_name.whole", name, f"Sample Person {number}")
        rows["person_name"].append((name, person, NameKind.RECORDED, whole, at))
        rows["exposure"].append((incident, person, ["name", "birth_date"], at))
        if not shares:
            contact = new_id()
            new, value = vault.new_key(contact), address(number)
            sealed = new.key.seal("contact_point.value", contact, value)
            index = None if kind is ContactKind.POST else vault.blind_index(kind, value)
            rows["data_key"].append((contact, new.version, new.wrapped))
            rows["contact_point"].append((contact, kind, sealed, index, zone, grade, "usable", at))
        rows["person_contact"].append((person, contact, "own", "unknown", at))
    return rows


def _copy(connection: psycopg.Connection, rows: dict[str, list[tuple[object, ...]]]) -> None:
    for name, columns in TABLES.items():
        with connection.cursor() as cursor, cursor.copy(f"copy {name} ({', '.join(columns)}) from stdin") as copy:
            for row in rows[name]:
                copy.write_row(row)
