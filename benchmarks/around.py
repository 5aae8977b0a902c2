"""What lies around a great campaign, so that every page of the panel has something to show: written by the domain's own functions
where they are quick enough, and else by COPY as those functions leave it.

How much there is of each follows from the number of people, and from what is plausible with so many of them.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks import people
from benchmarks.ground import Place
from outreach import jobs
from outreach.access.accounts import Account, Role
from outreach.access.sealing import DataKey, Vault, keys_for
from outreach.campaigns import added_step, campaign
from outreach.campaigns.campaign import Campaign, Rung, Step
from outreach.db import new_id, now
from outreach.delivery import breaker, hand_service, plan, print_room, return_code, returned_mail
from outreach.delivery.books import OLDEST_DAYS, DifferenceKind
from outreach.delivery.breaker import BreakerKind, Finding
from outreach.delivery.letter import RunKind, ServiceResult
from outreach.delivery.print_room import SetLetter
from outreach.delivery.returned_mail import ReturnReason
from outreach.delivery.words import ReplyKind
from outreach.notices.channel import Channel
from outreach.people import imminent
from outreach.people.attorney import SEALED, Clue, Ending
from outreach.people.contact import VALUE, ContactKind
from outreach.people.file import Reader
from outreach.people.roster import importing
from outreach.people.roster.columns import DateOrder
from outreach.people.roster.imports import ImportState, RosterImport
from outreach.people.synth.bad_rows import bad_rows
from outreach.people.synth.person import HEADERS
from outreach.people.synth.rosters import Plan, first_incident

BODY = "attempt.body"
LATER = 24 * 30  # hours: a rung that is not planned while this runs
LARGEST_PACKET = 500
RETURNED = 50

Rows = Iterable[Sequence[object]]


def fill(place: Place, great: UUID, count: int) -> None:
    """Put everything beside the campaign `great` and its `count` people, which was sent and reported on."""
    with place.connect() as connection:
        facilities = _facilities(connection, place.machine.vault, max(2, min(200, count // 100)))
        paper = _paper_campaign(place, connection, max(8, min(6_000, count // 4)))
        _print(place, connection, paper, facilities[0])
        _undecided(place, connection, paper, max(2, min(500, count // 1000)))
        _attorneys(place, connection, max(2, count // 50), 3 * count // 10)
        _replies(place, connection, max(5, count // 40))
        _books(connection, max(5, min(5_000, count // 200)))
        detained = _some_people(connection, max(4, count // 50), newest=True)
        _detain(connection, facilities, detained)
        _imports(place, count)
        _audit_log(connection, count // 5)
        connection.execute("vacuum analyze")
    _decisions(place, great, paper, detained)


def _copy(connection: psycopg.Connection, table: str, columns: str, rows: Rows) -> None:
    with connection.cursor() as cursor, cursor.copy(f"copy {table} ({columns}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


KEYS = "data_key", "subject_id, version, wrapped"
POINTS = "contact_point", "id, kind, value_sealed, value_index, time_zone, place_zones, grade, state, created_at"
MESSAGES = (
    "message",
    """id, step_id, campaign_id, contact_point_id, person_id, rendition_id, channel, language, state, attempts, created_at,
    updated_at""",
)
ATTEMPTS = (
    "attempt",
    """id, message_id, number, contact_point_id, channel, provider, state, body_sealed, sealed_under, body_digest, segments,
    started_at, lease_until, checks""",
)


def _points(connection: psycopg.Connection, vault: Vault, kind: ContactKind, values: Iterable[str]) -> dict[UUID, DataKey]:
    """New contact points with their keys, in the order of their values."""
    opened, keys, points = {}, [], []
    for value in values:
        point = new_id()
        new = vault.new_key(point)
        opened[point] = new.key
        keys.append((point, new.version, new.wrapped))
        post = kind is ContactKind.POST
        points.append((
            point, kind, new.key.seal(VALUE, point, value), None if post else vault.blind_index(kind, value), None,
            ["America/Chicago"] if post else None, "good" if post else None, "usable", now(),
        ))  # fmt: skip
    _copy(connection, *KEYS, keys)
    _copy(connection, *POINTS, points)
    return opened


def _some_people(connection: psycopg.Connection, count: int, *, newest: bool = False) -> list[UUID]:
    order = "desc" if newest else "asc"
    return [row[0] for row in connection.execute(f"select id from person order by id {order} limit %s", [count])]  # noqa: S608  # either word


def _account(session: Session, role: Role) -> Account:
    return session.scalars(select(Account).where(Account.role == role).order_by(Account.id)).first() or _missing(role)


def _missing(role: Role) -> Account:
    raise LookupError(f"Nobody is {role}.")


def _facilities(connection: psycopg.Connection, vault: Vault, count: int) -> list[UUID]:
    lines = (f"{number} Example Road\nSpringfield, IL 62701" for number in range(count))
    addresses = _points(connection, vault, ContactKind.POST, lines)
    rows = [
        (new_id(), f"BF{number}", f"Sample Facility {number}", "America/Chicago", point, now())
        for number, point in enumerate(addresses)
    ]
    _copy(connection, "facility", "id, code, name, time_zone, post_point_id, created_at", rows)
    return [row[0] for row in rows]


def _detain(connection: psycopg.Connection, facilities: Sequence[UUID], who: Iterable[UUID]) -> None:
    """They were detained since."""
    today = now().date()
    rows = (
        (new_id(), person, "detained", facilities[number % len(facilities)], today, today, "staff", now())
        for number, person in enumerate(who)
    )
    _copy(connection, "custody_event", "id, person_id, state, facility_id, effective_on, as_of, source, recorded_at", rows)


def _paper_campaign(place: Place, connection: psycopg.Connection, count: int) -> UUID:
    """A running campaign of letters to so many, whose first step is planned."""
    chosen = _some_people(connection, count)
    homes = _points(connection, place.machine.vault, ContactKind.POST, (people.home(number) for number in range(count)))
    incident = new_id()
    at = now()
    _copy(connection, "incident", "id, code, title, created_at", [(incident, "B-2", "Benchmark of letters", at)])
    links = zip(chosen, homes, strict=True)
    own = ((person, home, "own", "unknown", at) for person, home in links)
    _copy(connection, "person_contact", "person_id, contact_point_id, role, safety, created_at", own)
    exposed = ((incident, person, ["name", "address"], at) for person in chosen)
    _copy(connection, "exposure", "incident_id, person_id, elements, created_at", exposed)
    ladder = (Rung(0, Channel.LETTER), Rung(LATER, Channel.HAND), Rung(LATER, Channel.EMAIL))
    with place.machine.sessions.begin() as session:
        officer, approver = _account(session, Role.OFFICER), _account(session, Role.APPROVER)
        made = campaign.create(
            session, title="Benchmark of letters", notice_id=_notice(session), audience={"incidents": [str(incident)]},
            by=officer, ladder=ladder,
        )  # fmt: skip
        submitted = campaign.submit(session, made.id, by=officer)
        campaign.approve(session, made.id, by=approver, people=submitted.submitted_people or 0)
        campaign.launch(session, made.id, by=officer)
        plan.plan(session, _step(session, made.id, Channel.LETTER).id)
        return made.id


def _notice(session: Session) -> UUID:
    return session.scalars(select(Campaign.notice_id).order_by(Campaign.id)).first() or new_id()


def _step(session: Session, campaign_id: UUID, channel: Channel) -> Step:
    return session.scalars(select(Step).where(Step.campaign_id == campaign_id, Step.channel == channel)).one()


def _print(place: Place, connection: psycopg.Connection, paper: UUID, facility: UUID) -> None:
    """One run that is to be printed, one of which letters came back, and a packet of which the receipts are being entered."""
    sessions = place.machine.sessions
    letters = connection.execute(
        "select m.id, m.contact_point_id, m.person_id from message m where m.campaign_id = %s order by m.id", [paper]
    ).fetchall()
    away = min(LARGEST_PACKET, len(letters) // 10 + 1)
    posted = [message for message, _, _ in (*letters[:away], *letters[2 * away :])]
    connection.execute("update message set state = 'submitting', attempts = 1 where id = any(%s)", [posted])
    with sessions.begin() as session:
        _run(session, connection, RunKind.POST, paper, letters[2 * away :])
        gone = _run(session, connection, RunKind.POST, paper, letters[:away])
    with sessions.begin() as session:
        step = _step(session, paper, Channel.HAND).id
    point = connection.execute("select post_point_id from facility where id = %s", [facility]).fetchone()
    rendition = connection.execute("select rendition_id from message where campaign_id = %s", [paper]).fetchone()
    assert point is not None
    assert rendition is not None
    _detain(connection, [facility], [person for _, _, person in letters[away : 2 * away]])
    by_hand = [(new_id(), point[0], person) for _, _, person in letters[away : 2 * away]]
    at = now()
    _copy(connection, *MESSAGES, (
        (message, step, paper, contact, person, rendition[0], Channel.HAND, "es", "submitting", 1, at, at)
        for message, contact, person in by_hand
    ))  # fmt: skip
    _copy(connection, "message_person", "message_id, person_id", ((message, person) for message, _, person in by_hand))
    with sessions.begin() as session:
        packet = _run(session, connection, RunKind.HAND, paper, by_hand, facility)
    for state in ("printed", "enveloped"):  # What is printed is counted in a true PDF first, which these have not.
        connection.execute("update print_run set state = %s where id = any(%s)", [state, [gone[0], packet[0]]])
    with sessions.begin() as session:
        by = _account(session, Role.OFFICER)
        for run, _ in (gone, packet):
            print_room.hand_over(session, run, on=at.date(), by=by)
    with sessions.begin() as session:
        by = _account(session, Role.OFFICER)
        for number, attempt in enumerate(gone[1][: min(RETURNED, away // 2)]):
            reason = list(ReturnReason)[number % len(ReturnReason)]
            returned_mail.record_return(session, attempt, reason, by=by, reuse_limit=place.machine.settings.address_reuse_limit)
        for attempt in packet[1][: away // 4]:
            hand_service.enter(session, attempt, ServiceResult.SIGNED, now(), "Officer Sample", None, None, "es", by)


def _run(
    session: Session,
    connection: psycopg.Connection,
    kind: RunKind,
    paper: UUID,
    letters: Sequence[tuple[UUID, UUID, UUID]],
    facility: UUID | None = None,
) -> tuple[UUID, list[UUID]]:
    """A run of these messages as (id, contact point, person), kept as a typesetter keeps it; with its attempts."""
    attempts = [uuid4() for _ in letters]
    until = now() + timedelta(hours=1)
    channel = Channel.HAND if kind is RunKind.HAND else Channel.LETTER
    keys = keys_for(session, [person for _, _, person in letters])
    _copy(connection, *ATTEMPTS, (
        (
            attempt, message, 1, contact, channel, print_room.PROVIDER, "open", keys[person].seal(BODY, attempt, "{}"), person,
            b"-", 1, now(), until, 0,
        )
        for attempt, (message, contact, person) in zip(attempts, letters, strict=True)
    ))  # fmt: skip
    made = [
        SetLetter(
            attempt_id=attempt, person_id=person, facility_id=facility, return_code=return_code.new(),
            reference=f"BENC-{number:04}", pages=4, pdf_sha256="00" * 32, sequence=number,
        )
        for number, (attempt, (_, _, person)) in enumerate(zip(attempts, letters, strict=True), 1)
    ]  # fmt: skip
    run = print_room.add_run(session, kind, paper, facility, made, bytes(1_000_000), 4 * len(made))
    return run.id, attempts


def _undecided(place: Place, connection: psycopg.Connection, paper: UUID, count: int) -> None:
    """Mails handed to a relay that never answered, ten days ago: the sweep puts each before a person."""
    vault = place.machine.vault
    with place.machine.sessions.begin() as session:
        step = _step(session, paper, Channel.EMAIL).id
    rendition = connection.execute("select rendition_id from message where campaign_id = %s", [paper]).fetchone()
    assert rendition is not None
    points = _points(connection, vault, ContactKind.EMAIL, (people.mailbox(number) for number in range(count)))
    messages = [new_id() for _ in points]
    at = now() - timedelta(days=10)
    _copy(connection, *MESSAGES, (
        (message, step, paper, point, None, rendition[0], Channel.EMAIL, "es", "unknown", 1, at, at)
        for message, point in zip(messages, points, strict=True)
    ))  # fmt: skip
    about = zip(messages, _some_people(connection, count), strict=True)
    _copy(connection, "message_person", "message_id, person_id", about)
    mail = json.dumps({"subject": "A message", "text": "Somebody has a message for you."})
    attempts = []
    for message, (point, key) in zip(messages, points.items(), strict=True):
        attempt = uuid4()
        sealed = key.seal(BODY, attempt, mail)
        attempts.append((attempt, message, 1, point, Channel.EMAIL, "smtp", "unknown", sealed, None, b"-", 1, at, at, 0))
    _copy(connection, *ATTEMPTS, attempts)


def _attorneys(place: Place, connection: psycopg.Connection, count: int, represented: int) -> None:
    """So many attorneys, and so many people who have one. The first attorney is an office with ten times as many as others."""
    vault = place.machine.vault
    points = _points(connection, vault, ContactKind.EMAIL, (f"counsel.{number}@example.org" for number in range(count)))
    at, today = now(), now().date()
    keys, rows = [], []
    for number, point in enumerate(points):
        attorney, eoir = new_id(), f"YY{number:06}"
        new = vault.new_key(attorney)
        keys.append((attorney, new.version, new.wrapped))
        rows.append((
            attorney, new.key.seal(SEALED["name"], attorney, f"Sample Counsel {number}"),
            new.key.seal(SEALED["firm"], attorney, f"Sample Firm {number % 500}"),
            new.key.seal(SEALED["eoir_id"], attorney, eoir), vault.blind_index(Clue.EOIR_ID, eoir), point, at,
        ))  # fmt: skip
    _copy(connection, *KEYS, keys)
    _copy(connection, "attorney", "id, name_sealed, firm_sealed, eoir_id_sealed, eoir_id_index, email_point_id, created_at", rows)
    accounts = [row[0] for row in connection.execute("select id from account order by role limit 2")]
    office = 10 * represented // count
    clients = _some_people(connection, represented)

    def representations() -> Iterator[Sequence[object]]:
        for number, person in enumerate(clients):
            attorney = rows[0][0] if number < office else rows[number % count][0]
            verified = number % 15 != 0
            ended = verified and number % 20 == 1
            yield (
                new_id(), person, attorney, "g28", "all", today, "staff", accounts[0], at, accounts[1] if verified else None,
                at if verified else None, today if ended else None, Ending.WITHDRAWN if ended else None, at if ended else None,
                accounts[1] if ended else None,
            )  # fmt: skip

    columns = "id, person_id, attorney_id, form, scope, filed_on, source, entered_by, entered_at, verified_by, verified_at"
    _copy(connection, "representation", f"{columns}, ended_on, ended_as, ended_at, ended_by", representations())


def _replies(place: Place, connection: psycopg.Connection, senders: int) -> None:
    """Two replies of each of so many people, of which every tenth waits for somebody."""
    vault = place.machine.vault
    numbers = (people.phone(number * people.SHARED) for number in range(senders))
    phones = {vault.blind_index(ContactKind.PHONE, number): number for number in numbers}
    found = connection.execute(
        """
        select cp.value_index, cp.id, m.id, (select person_id from message_person mp where mp.message_id = m.id limit 1)
        from contact_point cp join message m on m.contact_point_id = cp.id
        where cp.kind = 'phone' and cp.value_index = any(%s) and m.channel = 'sms' order by cp.id
        """,
        [list(phones)],
    ).fetchall()
    kinds = (ReplyKind.ACKNOWLEDGE, ReplyKind.TEXT, ReplyKind.HELP, ReplyKind.CALL_ME, ReplyKind.OTHER_LANGUAGE)
    keys, rows = [], []
    for number, (index, point, message, person) in enumerate(found):
        for turn in range(2):
            reply = new_id()
            new = vault.new_key(reply)
            keys.append((reply, new.version, new.wrapped))
            kind = kinds[(number + turn) % len(kinds)]
            at = now() - timedelta(seconds=10 * (len(found) - number) - turn)
            rows.append((
                reply, Channel.SMS, "twilio", f"SM{reply.hex}", point, index,
                new.key.seal("reply.sender", reply, phones[bytes(index)]), new.key.seal("reply.body", reply, "Who is this?"),
                kind, kind is not ReplyKind.ACKNOWLEDGE, message, person, "only_person", at, None if number % 10 == 0 else at,
            ))  # fmt: skip
    columns = "id, channel, provider, provider_id, contact_point_id, sender_index, sender_sealed, body_sealed, kind, needs_human"
    _copy(connection, *KEYS, keys)
    _copy(connection, "reply", f"{columns}, message_id, person_id, binding, received_at, handled_at", rows)


def _books(connection: psycopg.Connection, differences: int) -> None:
    """A month of comparisons; on two of the days so many differences together."""
    days = [now().date() - timedelta(days=ago) for ago in range(OLDEST_DAYS)]
    checks = (("twilio", day, now(), 40_000, 40_000, 39_000) for day in days)
    _copy(connection, "book_check", "provider, day, checked_at, ours, theirs, agreed", checks)
    attempts = connection.execute("select id, provider_id from attempt where provider = 'twilio' limit %s", [differences])
    rows = (
        (new_id(), "twilio", days[number % 2], kind, attempt, provider_id, "sent", "delivered", "delivered")
        for number, (attempt, provider_id) in enumerate(attempts.fetchall())
        for kind in (DifferenceKind.OTHER_STATE if number % 3 else DifferenceKind.NOT_THEIRS,)
    )
    columns = "id, provider, day, kind, attempt_id, provider_id, our_state, their_state, their_status"
    _copy(connection, "book_difference", columns, rows)


def _imports(place: Place, count: int) -> None:
    """A roster that was looked through and waits to be imported, one that is being imported, and one with many bad rows."""
    m = place.machine
    limits, today = jobs.roster_limits(m.settings), now().date()
    with m.sessions.begin() as session:
        by = _account(session, Role.OFFICER).actor
    good, bad = max(5, count // 100), max(2, count // 500)
    given: dict[str, Any] = {
        "title": "Benchmark of imports", "occurred_on": None, "as_of": date(2022, 12, 1), "limits": limits, "by": by,
        "today": today, "date_order": DateOrder.DMY,
    }  # fmt: skip
    importing.import_file(m.sessions, _roster(good, bad), incident_code="B-3", **given)
    waiting = importing.begin(m.sessions, _roster(max(5, count // 10), 0), incident_code="B-3", fields={}, **given)
    with m.sessions.begin() as session:
        record = session.get_one(RosterImport, waiting)
        session.add(
            RosterImport(
                id=new_id(), incident_id=record.incident_id, as_of=record.as_of, file_format=record.file_format, file_size=1,
                file_digest="", mapping=record.mapping, report=record.report, state=ImportState.RUNNING, rows_done=count // 20,
                rows_total=count // 10,
            )
        )  # fmt: skip


def _roster(good: int, bad: int) -> io.BytesIO:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADERS)
    writer.writerows(row.values() for row in first_incident(Plan(people=good)))
    writer.writerows(one.cells for one in bad_rows(1, good, bad))
    return io.BytesIO(out.getvalue().encode())


def _audit_log(connection: psycopg.Connection, count: int) -> None:
    """So many readings of files. The chain does not hold over them, which nobody asks here."""
    staff = [row[0] for row in connection.execute("select id from account")]
    read = _some_people(connection, min(count, 5_000))
    end = connection.execute("select seq from audit_head").fetchone()
    assert end is not None
    actions = ("person.open", "person.open", "person.list", "person.search", "conversation.open", "attorney.open")
    rows = (
        (end[0] + number, now(), "staff", staff[number % len(staff)], actions[number % len(actions)], "person",
         read[number % len(read)], Jsonb({}), bytes(32))
        for number in range(1, count + 1)
    )  # fmt: skip
    _copy(connection, "audit_entry", "seq, at, actor_kind, actor_id, action, object_kind, object_id, detail, mac", rows)
    connection.execute("update audit_head set seq = seq + %s", [count])


def _decisions(place: Place, great: UUID, paper: UUID, detained: list[UUID]) -> None:
    """What waits for a second person, and what has stopped by itself."""
    with place.machine.sessions.begin() as session:
        officer, approver = _account(session, Role.OFFICER), _account(session, Role.APPROVER)
        running = session.get_one(Campaign, great)
        campaign.create(
            session, title="Benchmark of a draft", notice_id=running.notice_id, audience=running.audience, by=officer,
            ladder=(Rung(0, Channel.SMS), Rung(72, Channel.LETTER)),
        )  # fmt: skip
        added_step.add_step(session, great, Rung(0, Channel.LETTER), by=officer)
        until, by = now() + timedelta(days=3), Reader(officer.actor, supervises=False)
        asked = [imminent.ask(session, person, "It is on the list of the day.", until, by=by) for person in islice(detained, 40)]
        for removal in asked[: len(asked) // 2]:
            imminent.approve(session, removal, by=Reader(approver.actor, supervises=False))
        step = _step(session, paper, Channel.EMAIL).id
        for number in range(5):
            opened = breaker.trip(session, [
                Finding(BreakerKind.BOUNCES, provider="sendgrid", figures={"bad": 81 + number, "of": 1000}),
                Finding(BreakerKind.REFUSALS, step_id=step, code="550", figures={"bad": 6, "of": 100}),
            ])  # fmt: skip
            if number < 4:
                for one in opened:
                    breaker.close(session, one, by=approver)
