"""The print room: runs of letters from being set until they leave the house.

    made ──> printed ──> enveloped ──> handed over (to the post, or to the serving officer)
      └─────────┴────────────┴──> void: its messages are ready again

Each state is entered once, by somebody. Rows are locked run first, then as `projection` says, then letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, undefer

from outreach.access import audit, codes
from outreach.access.accounts import Account
from outreach.access.audit import SYSTEM, AuditEntry
from outreach.access.sealing import create_key, erase, key_for
from outreach.db import new_id, now
from outreach.delivery import manifest, pulling
from outreach.delivery.letter import Letter, LetterState, PrintRun, RunKind, RunState
from outreach.delivery.manifest import Counts, pdf_of
from outreach.delivery.message import Attempt
from outreach.delivery.projection import lock, project
from outreach.delivery.spending import settle

PROVIDER = "print_room"
PDF = manifest.PDF
IN_THE_HOUSE = (RunState.MADE, RunState.PRINTED, RunState.ENVELOPED)
DOWNLOAD = "print_run.download"


class NoRun(LookupError):
    """There is no print run with this id."""


class NotNow(Exception):
    """The run is in another state than this step begins from: `state` says which."""

    def __init__(self, state: str) -> None:
        super().__init__(f"The print run is {state}.")
        self.state = state


class NotOpen(Exception):
    """Some attempts of a run are no longer waiting for it: they were given up, and nothing of the run may be printed."""


class BadRun(ValueError):
    """The letters of a run are not numbered from 1 without a gap, or two have one return code."""


class CountsDisagree(Exception):
    """The database, the manifest and the PDF do not count the same. Such a run is voided, never printed."""

    def __init__(self, counts: Counts) -> None:
        super().__init__("The counts of the print run disagree.")
        self.counts = counts


class PullsOpen(Exception):
    """Letters of the run must not leave the house, and nobody has said yet that they are taken out."""


class BadDate(ValueError):
    """A run cannot be handed over before it was made, nor tomorrow."""


class VoidReason(StrEnum):
    PRINTER = "printer"
    SPOILED = "spoiled"
    COUNTS = "counts"
    MISTAKE = "mistake"


@dataclass(frozen=True, slots=True)
class SetLetter:
    """One letter of a run as it was set. `sequence` counts from 1; `pages` and `pdf_sha256` are of the letter alone."""

    attempt_id: UUID
    person_id: UUID | None
    facility_id: UUID | None
    return_code: str
    reference: str
    pages: int
    pdf_sha256: str
    sequence: int
    duplicate_of: UUID | None = None


# A run is printed as a whole or not at all: an attempt that was given up meanwhile is not taken up again.
ACCEPT = """
    update attempt a set state = 'accepted', provider_id = r.code, finished_at = now()
    from unnest(cast(:ids as uuid[]), cast(:codes as text[])) as r(id, code)
    where a.id = r.id and a.provider = 'print_room' and a.state in ('open', 'unknown')
    returning a.message_id
"""
ACCEPTED = """
    update message set state = 'accepted', reason = null, updated_at = now()
    where id = any(:ids) and state in ('submitting', 'unknown') returning id
"""


def reserve_number(session: Session) -> int:
    """The number of a run that is about to be set, since it stands on its sheets. One that is not used leaves a gap."""
    return int(session.execute(text("select nextval(pg_get_serial_sequence('print_run', 'number'))")).scalar_one())


def add_run(
    session: Session,
    kind: RunKind,
    campaign_id: UUID,
    facility_id: UUID | None,
    letters: Sequence[SetLetter],
    pdf: bytes,
    pages: int,
    *,
    number: int | None = None,
) -> PrintRun:
    """Keep a run that was set, seal its PDF, and call its messages accepted. `pages` is of the whole PDF, blanks included.

    Everything or nothing. Raises BadRun, and NotOpen when any of the attempts was given up meanwhile: set the run anew then.
    """
    if not letters or sorted(one.sequence for one in letters) != list(range(1, len(letters) + 1)):
        raise BadRun("The letters are not numbered from 1 without a gap.")
    if len({one.return_code for one in letters}) != len(letters):
        raise BadRun("Two letters have the same return code.")
    ids = [one.attempt_id for one in letters]
    messages = session.scalars(select(Attempt.message_id).where(Attempt.id.in_(ids))).all()
    lock(session, messages)
    taken = session.scalars(text(ACCEPT), {"ids": ids, "codes": [one.return_code for one in letters]}).all()
    accepted = session.scalars(text(ACCEPTED), {"ids": list(taken)}).all()
    if not len(letters) == len(taken) == len(accepted):
        raise NotOpen
    run_id = new_id()
    run = PrintRun(
        id=run_id,
        kind=kind,
        campaign_id=campaign_id,
        facility_id=facility_id,
        state=RunState.MADE,
        letters=len(letters),
        pages=pages,
        pdf_sealed=create_key(session, run_id).seal_bytes(PDF, run_id, pdf),
        pdf_sha256=manifest.sha256(pdf),
    )
    run.number = number if number is not None else reserve_number(session)
    session.add(run)
    session.flush()
    session.add_all(
        Letter(
            attempt_id=one.attempt_id,
            run_id=run_id,
            sequence=one.sequence,
            person_id=one.person_id,
            facility_id=one.facility_id,
            return_code=one.return_code,
            reference=one.reference,
            pages=one.pages,
            pdf_sha256=one.pdf_sha256,
            duplicate_of=one.duplicate_of,
        )
        for one in letters
    )
    session.flush()
    project(session, accepted)
    audit.record(
        session, SYSTEM, "print_run.make", "print_run", run_id, kind=kind, letters=len(letters), pages=pages, sha256=run.pdf_sha256
    )
    return run


def forget_unprinted(session: Session) -> int:
    """Give up attempts whose job died before it kept its run; their messages are ready again. How many.

    Nothing was printed of them, because only what `add_run` has kept can be printed. Safe to repeat and to run twice at once.
    """
    messages = session.scalars(
        text("""
            select m.id from message m join attempt a on a.message_id = m.id
            where a.provider = 'print_room' and a.state in ('open', 'unknown') and a.lease_until <= now()
            order by m.id for no key update of m skip locked
        """)
    ).all()
    if not messages:
        return 0
    rows = session.execute(
        text("""
            update attempt set state = 'not_sent', finished_at = now()
            where message_id = any(:ids) and provider = 'print_room' and state in ('open', 'unknown') and lease_until <= now()
              and not exists (select 1 from letter where letter.attempt_id = attempt.id)
            returning id, message_id
        """),
        {"ids": list(messages)},
    ).all()
    given_up = [row.message_id for row in rows]
    session.execute(
        text("""
            update message set state = 'ready', due_at = now(), updated_at = now()
            where id = any(:ids) and state in ('submitting', 'unknown')
        """),
        {"ids": list(given_up)},
    )
    project(session, given_up)
    settle(session, [row.id for row in rows])
    return len(given_up)


def get(session: Session, run_id: UUID, *, locked: bool = False) -> PrintRun:
    """Raises NoRun. `locked`: nobody else changes it until the transaction ends."""
    run = session.get(PrintRun, run_id, with_for_update={"key_share": True} if locked else None, populate_existing=locked)
    if run is None:
        raise NoRun
    return run


def mark_printed(session: Session, run_id: UUID, *, by: Account) -> Counts:
    """Counted three times over first. Raises NoRun, NotNow or CountsDisagree."""
    run = _in_state(session, run_id, RunState.MADE)
    counts = manifest.counts(session, run_id)
    if not counts.agree:
        raise CountsDisagree(counts)
    run.state, run.printed_at, run.printed_by = RunState.PRINTED, now(), by.id
    session.flush()
    audit.record(
        session, by.actor, "print_run.printed", "print_run", run_id,
        run=counts.run, manifest=counts.manifest, pdf_letters=counts.pdf_letters, pdf_pages=counts.pdf_pages,
    )  # fmt: skip
    return counts


def mark_enveloped(session: Session, run_id: UUID, *, by: Account) -> None:
    """Raises NoRun or NotNow."""
    run = _in_state(session, run_id, RunState.PRINTED)
    run.state, run.enveloped_at, run.enveloped_by = RunState.ENVELOPED, now(), by.id
    session.flush()
    audit.record(session, by.actor, "print_run.enveloped", "print_run", run_id, letters=run.letters)


def hand_over(session: Session, run_id: UUID, *, on: date, by: Account) -> int:
    """What remains of the run has left the house, `on` that day: its messages are sent; how many. The PDF is erased.

    Raises NoRun, NotNow, BadDate, or PullsOpen while a letter is to be taken out, also one that `pull_moved` has not met yet.
    """
    run = _in_state(session, run_id, RunState.ENVELOPED)
    if not run.made_at.date() - timedelta(days=1) <= on <= now().date():
        raise BadDate
    if pulling.unconfirmed(session, run_id) or pulling.to_pull(session, run_id):
        raise PullsOpen
    messages = _messages(session, run_id)
    lock(session, messages)
    session.execute(
        text("update attempt a set state = 'sent' from letter l where a.id = l.attempt_id and l.run_id = :run"
             " and l.state = 'on_its_way' and a.state = 'accepted'"),
        {"run": run_id},
    )  # fmt: skip
    sent = session.scalars(
        text("update message set state = 'sent', updated_at = now() where id = any(:ids) and state = 'accepted' returning id"),
        {"ids": messages},
    ).all()
    run.state, run.handed_over_on, run.handed_over_at, run.handed_over_by = RunState.HANDED_OVER, on, now(), by.id
    _erase(session, run)
    project(session, sent)
    audit.record(session, by.actor, "print_run.handed_over", "print_run", run_id, on=on.isoformat(), letters=len(sent))
    return len(sent)


def void(session: Session, run_id: UUID, reason: VoidReason, *, by: Account) -> int:
    """Nothing of the run leaves the house; its paper is destroyed. Its messages are ready for another run; how many.

    Raises NoRun or NotNow. Letters that were pulled before stay so.
    """
    run = _in_state(session, run_id, *IN_THE_HOUSE)
    messages = _messages(session, run_id)
    lock(session, messages)
    attempts = session.scalars(
        text("""
            update attempt a set state = 'not_sent', error_code = 'void', finished_at = now() from letter l
            where a.id = l.attempt_id and l.run_id = :run and l.state = 'on_its_way' and a.state = 'accepted' returning a.id
        """),
        {"run": run_id},
    ).all()
    # A campaign that is over sends nothing any more: its people are on the worked list instead.
    session.execute(
        text("""
            update message m set state = case when c.state = 'done' then 'cancelled' else 'ready' end,
                reason = case when c.state = 'done' then 'not_delivered' end, due_at = now(), updated_at = now()
            from campaign c where c.id = m.campaign_id and m.id = any(:ids) and m.state = 'accepted'
        """),
        {"ids": messages},
    )
    pulling.close(session, attempts, "void", by=by.id)
    run.state = RunState.VOID
    _erase(session, run)
    project(session, messages)
    settle(session, attempts)
    audit.record(session, by.actor, "print_run.void", "print_run", run_id, reason=reason, letters=len(attempts))
    return len(attempts)


@dataclass(frozen=True, slots=True)
class PdfPermit:
    """The PDF of this run may be opened, because an entry in the audit log says so. Made by `ask_for_pdf` only."""

    run_id: UUID
    number: int


def ask_for_pdf(session: Session, run_id: UUID, *, by: Account) -> PdfPermit:
    """Leave to open the PDF, while it has not left the house. Commit before using it. Raises NoRun or NotNow."""
    run = _in_state(session, run_id, *IN_THE_HOUSE)
    audit.record(session, by.actor, DOWNLOAD, "print_run", run_id, letters=run.letters, pages=run.pages)
    return PdfPermit(run_id, run.number)


def open_pdf(session: Session, permit: PdfPermit) -> bytes:
    """Raises NotNow when the run was handed over or voided meanwhile, and Sealed when the file was altered."""
    run = session.get_one(PrintRun, permit.run_id, options=[undefer(PrintRun.pdf_sealed)], populate_existing=True)
    if run.pdf_sealed is None:
        raise NotNow(run.state)
    return pdf_of(session, run)


def downloads(session: Session, run_id: UUID) -> int:
    """How often the PDF was opened."""
    counted = select(func.count()).select_from(AuditEntry).where(AuditEntry.object_id == run_id, AuditEntry.action == DOWNLOAD)
    return session.scalar(counted) or 0


class ReprintReason(StrEnum):
    JAMMED = "jammed"
    STAINED = "stained"
    ENVELOPE = "envelope"
    LOST = "lost"  # before it left the house


class NoLetter(LookupError):
    """There is no letter with this id."""


def find_letter(session: Session, run_id: UUID, typed: str) -> Letter:
    """The run's letter with this sequence number, or with this return code. Raises NoLetter."""
    short = typed.strip()
    if short.isascii() and short.isdigit() and len(short) <= 4:
        same = Letter.sequence == int(short)
    else:
        same = func.replace(Letter.return_code, "-", "") == codes.read(typed)
    found = session.scalars(select(Letter).where(Letter.run_id == run_id, same)).one_or_none()
    if found is None:
        raise NoLetter
    return found


@dataclass(frozen=True, slots=True)
class ReprintPermit:
    """This letter may be set again, because an entry in the audit log says so. Made by `ask_to_reprint` only."""

    attempt_id: UUID
    run_id: UUID
    run: str
    sequence: int
    pdf_sha256: str


def ask_to_reprint(session: Session, attempt_id: UUID, reason: ReprintReason, *, by: Account) -> ReprintPermit:
    """Leave to print one letter of a run again. Commit before using it. Raises NoLetter or NotNow."""
    letter = session.get(Letter, attempt_id)
    if letter is None or letter.run_id is None or letter.sequence is None:
        raise NoLetter
    run = _in_state(session, letter.run_id, *IN_THE_HOUSE)
    session.refresh(letter, with_for_update={"key_share": True})
    if letter.state != LetterState.ON_ITS_WAY:
        raise NotNow(letter.state)
    letter.reprints += 1
    session.flush()
    audit.record(
        session, by.actor, "letter.reprint", "print_run", run.id, sequence=letter.sequence, reason=reason, time=letter.reprints
    )
    return ReprintPermit(attempt_id, run.id, run.name, letter.sequence, letter.pdf_sha256)


def content_to_reprint(session: Session, permit: ReprintPermit) -> str:
    """What the letter is set from, exactly as it was. Raises Sealed when the person was erased since."""
    attempt = session.get_one(Attempt, permit.attempt_id)
    key = key_for(session, attempt.sealed_under or attempt.contact_point_id)
    return key.open("attempt.body", attempt.id, attempt.body_sealed)


def record_difference(session: Session, permit: ReprintPermit, sha256: str) -> None:
    """Keep that a letter came out otherwise than it was printed first: somebody has to look why."""
    audit.record(
        session, SYSTEM, "letter.reprint_differs", "print_run", permit.run_id, sequence=permit.sequence,
        kept=permit.pdf_sha256, made=sha256,
    )  # fmt: skip


def _in_state(session: Session, run_id: UUID, *states: RunState) -> PrintRun:
    run = get(session, run_id, locked=True)
    if run.state not in states:
        raise NotNow(run.state)
    return run


def _messages(session: Session, run_id: UUID) -> list[UUID]:
    """Of the letters that are still on their way."""
    return list(
        session.scalars(
            select(Attempt.message_id)
            .join(Letter, Letter.attempt_id == Attempt.id)
            .where(Letter.run_id == run_id, Letter.state == LetterState.ON_ITS_WAY)
        )
    )


def _erase(session: Session, run: PrintRun) -> None:
    run.pdf_sealed = None
    session.flush()
    erase(session, run.id)
