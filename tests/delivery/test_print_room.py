"""Print runs: kept whole or not at all, counted three times, each step once, and nothing of them left over."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.sealing import Sealed, StoredKey, key_for
from outreach.campaigns.campaign import CampaignState
from outreach.campaigns.outcome import Outcome, OutcomeState
from outreach.db import now
from outreach.delivery import manifest, print_room, pulling
from outreach.delivery.letter import Letter, LetterState, PrintRun, RunKind, RunState
from outreach.delivery.message import Attempt, Message
from outreach.delivery.print_room import (
    BadDate,
    BadRun,
    CountsDisagree,
    NoLetter,
    NoRun,
    NotNow,
    NotOpen,
    ReprintReason,
    VoidReason,
)
from outreach.people.contact import ContactKind
from tests.factories import (
    make_account,
    make_campaign,
    make_contact,
    make_outcome,
    make_paper,
    make_pdf,
    make_person,
    make_run,
    set_letters,
)

TODAY = now().date()


def letters_of(session: Session, run: PrintRun) -> list[Letter]:
    session.expire_all()
    return list(session.scalars(sa.select(Letter).where(Letter.run_id == run.id).order_by(Letter.sequence)))


def states(session: Session, run: PrintRun) -> set[tuple[str, str, str]]:
    """Of the run's letters: the letter's, the attempt's and the message's state."""
    found = session.execute(
        sa.select(Letter.state, Attempt.state, Message.state)
        .join(Attempt, Attempt.id == Letter.attempt_id)
        .join(Message, Message.id == Attempt.message_id)
        .where(Letter.run_id == run.id)
    )
    return {(letter, attempt, message) for letter, attempt, message in found}


def papers(session: Session, count: int = 3) -> list[Attempt]:
    """Letters that were claimed, each to an address of its own."""
    campaign, attempts = make_campaign(session), []
    for number in range(count):
        person = make_person(session)
        make_outcome(session, campaign, person, OutcomeState.PLANNED)
        attempts.append(
            make_paper(session, campaign, person, make_contact(session, person, value=f"{number} St", kind=ContactKind.POST))
        )
    return attempts


def campaign_of(session: Session, attempt: Attempt) -> Message:
    return session.get_one(Message, attempt.message_id)


def test_a_run_that_is_kept_has_its_letters_accepted_and_its_pdf_sealed(session: Session) -> None:
    person = make_person(session)
    run = make_run(session, make_campaign(session), person)
    assert states(session, run) == {("on_its_way", "accepted", "accepted")}
    (letter,) = letters_of(session, run)
    assert session.get_one(Attempt, letter.attempt_id).provider_id == letter.return_code
    assert session.scalars(sa.select(Outcome.state).where(Outcome.person_id == person.id)).one() == "in_progress"
    assert letter.return_code.encode() not in (run.pdf_sealed or b"")
    assert letter.return_code.encode() in key_for(session, run.id).open_bytes(manifest.PDF, run.id, run.pdf_sealed or b"")


def test_a_run_is_kept_whole_or_not_at_all_when_one_attempt_was_given_up(session: Session) -> None:
    attempts = papers(session)
    letters = set_letters(session, attempts)
    attempts[1].lease_until = now() - timedelta(hours=1)
    session.flush()
    assert print_room.forget_unprinted(session) == 1
    with pytest.raises(NotOpen), session.begin_nested():
        print_room.add_run(session, RunKind.POST, campaign_of(session, attempts[0]).campaign_id, None, letters, make_pdf("a"), 1)
    session.expire_all()
    assert [attempt.state for attempt in attempts] == ["open", "not_sent", "open"]
    assert session.scalar(sa.select(sa.func.count()).select_from(PrintRun)) == 0


def test_attempts_whose_job_died_are_given_up_and_set_again(session: Session) -> None:
    attempt, fresh = papers(session, 2)
    attempt.lease_until = now() - timedelta(hours=1)
    session.flush()
    assert print_room.forget_unprinted(session) == 1
    assert print_room.forget_unprinted(session) == 0
    session.expire_all()
    assert (attempt.state, campaign_of(session, attempt).state) == ("not_sent", "ready")
    assert (fresh.state, campaign_of(session, fresh).state) == ("open", "submitting")


def test_what_is_in_a_run_is_never_given_up(session: Session) -> None:
    run = make_run(session, make_campaign(session), make_person(session))
    session.execute(sa.text("update attempt set lease_until = now() - interval '1 day'"))
    assert print_room.forget_unprinted(session) == 0
    assert states(session, run) == {("on_its_way", "accepted", "accepted")}


@pytest.mark.parametrize("broken", ["gap", "code"])
def test_letters_that_are_numbered_wrong_or_share_a_code_are_no_run(session: Session, broken: str) -> None:
    attempts = papers(session, 2)
    letters = set_letters(session, attempts)
    changed = {"sequence": 3} if broken == "gap" else {"return_code": letters[0].return_code}
    bad = [letters[0], type(letters[0])(**{**{name: getattr(letters[1], name) for name in letters[1].__slots__}, **changed})]
    with pytest.raises(BadRun):
        print_room.add_run(session, RunKind.POST, uuid4(), None, bad, b"", 2)


def test_the_number_on_the_sheets_is_the_number_of_the_run(session: Session) -> None:
    number = print_room.reserve_number(session)
    attempts = papers(session, 1)
    letters = set_letters(session, attempts)
    pdf = make_pdf(letters[0].return_code)
    campaign_id = campaign_of(session, attempts[0]).campaign_id
    run = print_room.add_run(session, RunKind.POST, campaign_id, None, letters, pdf, 1, number=number)
    assert run.name == f"RUN-{number:04}"
    assert print_room.reserve_number(session) > number


def test_the_manifest_names_nobody(session: Session) -> None:
    run = make_run(session, make_campaign(session), make_person(session, name="Sample MANIFESTO"), make_person(session))
    rows = manifest.manifest(session, run.id).splitlines()
    codes = [letter.return_code for letter in letters_of(session, run)]
    assert rows == ["run,sequence,return_code,language,pages", f"{run.name},1,{codes[0]},es,1", f"{run.name},2,{codes[1]},es,1"]


def test_a_run_is_counted_by_the_database_the_manifest_and_the_pdf(session: Session) -> None:
    run = make_run(session, make_campaign(session), *(make_person(session) for _ in range(3)))
    counts = manifest.counts(session, run.id)
    assert (counts.run, counts.manifest, counts.pdf_letters, counts.pdf_pages) == (3, 3, 3, 3)
    assert counts.agree


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param(lambda codes: codes[:2], id="a letter is missing"),
        pytest.param(lambda codes: [*codes, "blank"], id="a page too many"),
        pytest.param(lambda codes: [codes[0], codes[0], codes[2]], id="one twice, another not"),
        pytest.param(lambda codes: [codes[1], codes[0], codes[2]], id="in another order"),
    ],
)
def test_a_run_whose_counts_disagree_cannot_be_marked_printed(session: Session, pages: object) -> None:
    run = make_run(session, make_campaign(session), *(make_person(session) for _ in range(3)))
    codes = [letter.return_code for letter in letters_of(session, run)]
    run.pdf_sealed = key_for(session, run.id).seal_bytes(manifest.PDF, run.id, make_pdf(*pages(codes)))  # type: ignore[operator]  # a table of functions
    session.flush()
    with pytest.raises(CountsDisagree):
        print_room.mark_printed(session, run.id, by=make_account(session))
    assert print_room.get(session, run.id).state == RunState.MADE


def test_a_run_that_lost_the_row_of_a_letter_cannot_be_marked_printed(session: Session) -> None:
    run = make_run(session, make_campaign(session), *(make_person(session) for _ in range(2)))
    session.execute(sa.delete(Letter).where(Letter.run_id == run.id, Letter.sequence == 2))
    with pytest.raises(CountsDisagree):
        print_room.mark_printed(session, run.id, by=make_account(session))


def test_each_step_is_entered_once_by_somebody_and_in_order(session: Session) -> None:
    run, by = make_run(session, make_campaign(session), make_person(session)), make_account(session)
    with pytest.raises(NotNow):
        print_room.mark_enveloped(session, run.id, by=by)
    print_room.mark_printed(session, run.id, by=by)
    with pytest.raises(NotNow):
        print_room.mark_printed(session, run.id, by=by)
    with pytest.raises(NotNow):
        print_room.hand_over(session, run.id, on=TODAY, by=by)
    print_room.mark_enveloped(session, run.id, by=by)
    assert print_room.hand_over(session, run.id, on=TODAY, by=by) == 1
    with pytest.raises(NotNow):
        print_room.hand_over(session, run.id, on=TODAY, by=by)
    with pytest.raises(NotNow):
        print_room.void(session, run.id, VoidReason.MISTAKE, by=by)
    assert (run.printed_by, run.enveloped_by, run.handed_over_by, run.handed_over_on) == (by.id, by.id, by.id, TODAY)
    told = [entry.action for entry in audit.entries(session, audit.Query(object_id=run.id), limit=10)[0]]
    assert told == ["print_run.handed_over", "print_run.enveloped", "print_run.printed", "print_run.make"]


def test_what_was_handed_over_is_sent_and_its_pdf_is_gone_for_good(session: Session) -> None:
    run = make_run(session, make_campaign(session), make_person(session), state=RunState.HANDED_OVER)
    assert states(session, run) == {("on_its_way", "sent", "sent")}
    session.refresh(run)
    assert run.pdf_sealed is None
    assert session.get(StoredKey, run.id) is None


@pytest.mark.parametrize("on", [TODAY + timedelta(days=1), date(2000, 1, 1)])
def test_a_run_is_not_handed_over_tomorrow_nor_before_it_was_made(session: Session, on: date) -> None:
    run = make_run(session, make_campaign(session), make_person(session), state=RunState.ENVELOPED)
    with pytest.raises(BadDate):
        print_room.hand_over(session, run.id, on=on, by=make_account(session))


def test_the_letters_of_a_voided_run_can_be_printed_again(session: Session) -> None:
    run = make_run(session, make_campaign(session), make_person(session), state=RunState.ENVELOPED)
    assert print_room.void(session, run.id, VoidReason.PRINTER, by=make_account(session)) == 1
    assert states(session, run) == {("pulled", "not_sent", "ready")}
    assert session.get(StoredKey, run.id) is None
    assert session.scalars(sa.select(Outcome.state)).one() == "in_progress", "it was begun, and is to go on"


def test_the_letters_of_a_voided_run_are_not_printed_again_when_the_campaign_is_over(session: Session) -> None:
    campaign = make_campaign(session)
    run = make_run(session, campaign, make_person(session))
    campaign.state = CampaignState.DONE
    session.flush()
    print_room.void(session, run.id, VoidReason.MISTAKE, by=make_account(session))
    assert states(session, run) == {("pulled", "not_sent", "cancelled")}
    assert session.execute(sa.select(Outcome.state, Outcome.reason)).one() == ("exhausted", "not_delivered")


def test_each_download_is_counted_and_there_is_none_once_the_run_has_left(session: Session) -> None:
    run, by = make_run(session, make_campaign(session), make_person(session), state=RunState.ENVELOPED), make_account(session)
    print_room.ask_for_pdf(session, run.id, by=by)
    permit = print_room.ask_for_pdf(session, run.id, by=by)
    assert print_room.downloads(session, run.id) == 2
    assert print_room.open_pdf(session, permit).startswith(b"%PDF")
    print_room.hand_over(session, run.id, on=TODAY, by=by)
    with pytest.raises(NotNow):
        print_room.ask_for_pdf(session, run.id, by=by)
    with pytest.raises(NotNow):
        print_room.open_pdf(session, permit)


def test_a_pdf_that_was_altered_does_not_open(session: Session) -> None:
    run = make_run(session, make_campaign(session), make_person(session))
    permit = print_room.ask_for_pdf(session, run.id, by=make_account(session))
    session.execute(sa.text("update print_run set pdf_sealed = set_byte(pdf_sealed, 40, get_byte(pdf_sealed, 40) # 1)"))
    with pytest.raises(Sealed):
        print_room.open_pdf(session, permit)


def test_a_reprint_is_counted_and_says_why(session: Session) -> None:
    run, by = make_run(session, make_campaign(session), make_person(session)), make_account(session)
    (letter,) = letters_of(session, run)
    permit = print_room.ask_to_reprint(session, letter.attempt_id, ReprintReason.JAMMED, by=by)
    assert print_room.content_to_reprint(session, permit) == "{}"
    print_room.ask_to_reprint(session, letter.attempt_id, ReprintReason.STAINED, by=by)
    assert letter.reprints == 2
    newest = audit.entries(session, audit.Query(action="letter.reprint"), limit=1)[0][0]
    assert newest.detail == {"sequence": 1, "reason": "stained", "time": 2}


def test_a_letter_that_was_pulled_or_has_left_is_not_printed_again(session: Session) -> None:
    by = make_account(session)
    for state in (RunState.MADE, RunState.HANDED_OVER):
        run = make_run(session, make_campaign(session), make_person(session), state=state)
        (letter,) = letters_of(session, run)
        if state == RunState.MADE:
            pulling.take_out(session, letter.attempt_id, pulling.TakeOutReason.DAMAGED, by=by)
            assert letter.state == LetterState.PULLED
        with pytest.raises(NotNow):
            print_room.ask_to_reprint(session, letter.attempt_id, ReprintReason.LOST, by=by)


def test_there_is_no_run_with_a_strange_id(session: Session) -> None:
    with pytest.raises(NoRun):
        print_room.get(session, uuid4())


def test_a_letter_of_a_run_is_found_by_its_code_or_by_its_number(session: Session) -> None:
    run = make_run(session, make_campaign(session), make_person(session))
    (letter,) = letters_of(session, run)
    for typed in (letter.return_code, letter.return_code.lower().replace("-", " "), "1", " 001 "):
        assert print_room.find_letter(session, run.id, typed) == letter
    for typed in ("2", "", "00000-00000"):
        with pytest.raises(NoLetter):
            print_room.find_letter(session, run.id, typed)
