"""The print room's pages: what a run needs next, what must not leave the house, and who may open what is in it."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Role
from outreach.access.sealing import key_for
from outreach.campaigns.outcome import OutcomeState
from outreach.db import now
from outreach.delivery import manifest
from outreach.delivery.letter import Letter, PrintRun, RunKind, RunState
from outreach.delivery.message import Message
from outreach.people.contact import ContactKind
from outreach.people.custody import Custody
from outreach.people.person import Person
from tests.factories import (
    make_campaign,
    make_contact,
    make_custody_event,
    make_facility,
    make_outcome,
    make_paper,
    make_pdf,
    make_person,
    make_run,
)
from tests.web.conftest import Fetch, SignIn, submit

NAME = "SAMPLE, Paperina"


@pytest.fixture
def run(session: Session) -> PrintRun:
    made = make_run(session, make_campaign(session), make_person(session, name=NAME), make_person(session, name=NAME))
    session.commit()
    return made


def state_of(session: Session, run: PrintRun) -> str:
    session.expire_all()
    return session.scalars(sa.select(PrintRun.state).where(PrintRun.id == run.id)).one()


def packet(session: Session, state: RunState = RunState.HANDED_OVER, people: int = 2) -> PrintRun:
    """A packet for a facility in New York time."""
    facility, held = make_facility(session, time_zone="America/New_York"), []
    for number in range(people):
        person = make_person(session, name=NAME, a_number=f"A29999912{number}")
        make_custody_event(session, person, state=Custody.DETAINED, facility_id=facility.id, as_of=now().date())
        held.append(person)
    session.expire_all()
    made = make_run(session, make_campaign(session), *held, facility=facility, kind=RunKind.HAND, state=state)
    session.commit()
    return made


def test_the_list_says_what_waits_and_what_is_open(session: Session, run: PrintRun, page: Fetch, sign_in: SignIn) -> None:
    campaign, person = make_campaign(session), make_person(session)
    make_outcome(session, campaign, person, OutcomeState.PLANNED)
    make_paper(session, campaign, person, make_contact(session, person, value="1 Example Street", kind=ContactKind.POST))
    session.execute(
        sa.update(Message).where(Message.state == "submitting").values(state="ready", due_at=now() - timedelta(hours=1))
    )
    session.commit()
    found = page(sign_in(Role.OFFICER), "/print-room")
    assert "Waiting to be set, by post 1" in found.text
    assert f"{run.name} Test campaign" in found.text
    assert NAME not in found.html


def test_the_list_can_be_of_packets_only(session: Session, run: PrintRun, page: Fetch, sign_in: SignIn) -> None:
    handed = packet(session)
    found = page(sign_in(Role.OFFICER), "/print-room?kind=hand")
    assert handed.name in found.text
    assert run.name not in found.text
    assert "2 receipts to enter" in found.text


def test_a_run_goes_step_by_step_until_it_has_left(session: Session, run: PrintRun, page: Fetch, sign_in: SignIn) -> None:
    officer = sign_in(Role.OFFICER, name="Sample STEPPER")
    home = f"/print-room/{run.id}"
    assert "All three agree" in officer.get(f"{home}/counts").text
    for step, button in (("printed", "It is in envelopes"), ("enveloped", "It has left the house")):
        assert submit(officer, f"{home}/{step}").status_code == 302
        assert button in page(officer, home).text
    assert submit(officer, f"{home}/handed-over", {"on": now().date().isoformat()}).status_code == 302
    found = page(officer, home)
    assert "Its PDF is erased." in found.text
    assert found.text.count("Sample STEPPER") == 4, "three steps, and who is signed in"
    assert state_of(session, run) == RunState.HANDED_OVER


def test_a_step_that_somebody_else_took_says_so(session: Session, run: PrintRun, page: Fetch, sign_in: SignIn) -> None:
    officer = sign_in(Role.OFFICER)
    submit(officer, f"/print-room/{run.id}/printed")
    assert "the run is “Printed” now" in page(officer, f"/print-room/{run.id}/printed", post={}, status=409).text


def test_a_run_whose_counts_disagree_is_not_printed(session: Session, run: PrintRun, page: Fetch, sign_in: SignIn) -> None:
    run.pdf_sealed = key_for(session, run.id).seal_bytes(manifest.PDF, run.id, make_pdf("nothing"))
    session.commit()
    officer = sign_in(Role.OFFICER)
    assert "The counts disagree" in officer.get(f"/print-room/{run.id}/counts").text
    assert "void it" in page(officer, f"/print-room/{run.id}/printed", post={}, status=409).text
    assert state_of(session, run) == RunState.MADE


def test_a_download_is_on_record_before_it_is_given_out_and_its_name_says_nothing(
    session: Session, run: PrintRun, page: Fetch, sign_in: SignIn
) -> None:
    officer = sign_in(Role.OFFICER)
    answer = submit(officer, f"/print-room/{run.id}/pdf")
    assert answer.data.startswith(b"%PDF")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{run.name.lower()}.pdf"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert "PDF opened 1 time" in page(officer, f"/print-room/{run.id}").text
    assert audit.entries(session, audit.Query(action="print_run.download"), limit=1)[1] == 1


def test_the_manifest_is_a_table_without_names(session: Session, run: PrintRun, sign_in: SignIn) -> None:
    answer = sign_in(Role.AUDITOR).get(f"/print-room/{run.id}/manifest")
    assert answer.mimetype == "text/csv"
    assert len(answer.text.splitlines()) == 3
    assert NAME not in answer.text


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.APPROVER])
def test_who_only_reads_is_offered_nothing_to_do(session: Session, run: PrintRun, page: Fetch, sign_in: SignIn, role: Role) -> None:
    found = page(sign_in(role), f"/print-room/{run.id}")
    assert [form for form, _ in found.forms if form["action"] != "/sign-out"] == []
    assert page(sign_in(role), f"/packets/{packet(session).id}").text.count("No receipt yet") == 2


def test_pulled_letters_are_shown_in_red_until_somebody_has_taken_them_out(session: Session, page: Fetch, sign_in: SignIn) -> None:
    made = packet(session, RunState.ENVELOPED)
    officer, home = sign_in(Role.OFFICER), f"/print-room/{made.id}"
    person = session.scalars(sa.select(Letter.person_id).where(Letter.run_id == made.id, Letter.sequence == 2)).one()
    make_custody_event(session, session.get_one(Person, person), as_of=date(2099, 1, 1))
    session.commit()
    refused = page(officer, f"{home}/handed-over", post={"on": now().date().isoformat()}, status=409)
    assert "must not leave the house" in refused.text
    found = page(officer, home)
    assert "1 letter must not leave the house" in found.text
    assert "It has left the house" not in found.text
    assert "1 letter to take out" in page(officer, "/print-room").text
    page(officer, f"{home}/taken-out", post={}, status=400)
    page(officer, f"{home}/taken-out", post={"sequence": "1"}, status=409)
    assert submit(officer, f"{home}/taken-out", {"sequence": "2"}).status_code == 302
    assert "must not leave the house" not in page(officer, home).text
    assert submit(officer, f"{home}/handed-over", {"on": now().date().isoformat()}).status_code == 302
    assert state_of(session, made) == RunState.HANDED_OVER


@pytest.mark.parametrize(
    ("step", "form", "status"),
    [
        ("handed-over", {"on": "tomorrow"}, 400),
        ("void", {"reason": "because"}, 400),
        ("take-out", {"letter": "1", "reason": ""}, 400),
        ("take-out", {"letter": "77", "reason": "damaged"}, 404),
        ("reprint", {"letter": "1", "reason": ""}, 400),
        ("reprint", {"letter": "77", "reason": "jammed"}, 404),
    ],
)
def test_what_is_typed_wrong_is_explained(
    run: PrintRun, page: Fetch, sign_in: SignIn, step: str, form: dict[str, str], status: int
) -> None:
    assert 'role="alert"' in page(sign_in(Role.OFFICER), f"/print-room/{run.id}/{step}", post=form, status=status).html


def test_a_letter_is_taken_out_by_its_code(session: Session, run: PrintRun, page: Fetch, sign_in: SignIn) -> None:
    officer = sign_in(Role.OFFICER)
    code = session.scalars(sa.select(Letter.return_code).where(Letter.run_id == run.id, Letter.sequence == 2)).one()
    submit(officer, f"/print-room/{run.id}/take-out", {"letter": code.lower(), "reason": "damaged"})
    found = page(officer, f"/print-room/{run.id}")
    assert f"2 {code} Spanish Pulled It is damaged" in found.text
    page(officer, f"/print-room/{run.id}/take-out", post={"letter": code, "reason": "damaged"}, status=409)


def test_a_voided_run_is_gone(session: Session, run: PrintRun, page: Fetch, sign_in: SignIn) -> None:
    officer = sign_in(Role.SUPERVISOR)
    submit(officer, f"/print-room/{run.id}/void", {"reason": "printer"})
    assert "This run is void" in page(officer, f"/print-room/{run.id}").text
    page(officer, f"/print-room/{run.id}/pdf", post={}, status=409)


YESTERDAY = (now() - timedelta(days=1)).date().isoformat()  # by every clock
RECEIPT = {"officer": "Sample OFFICER", "interpreter": "", "witness": "", "language": "", "time": "00:00"}


def test_a_receipt_is_entered_by_scan_number_and_enter(session: Session, page: Fetch, sign_in: SignIn) -> None:
    made = packet(session)
    made.made_at = now().replace(year=now().year - 1)
    session.commit()
    officer, home = sign_in(Role.OFFICER), f"/packets/{made.id}"
    code = session.scalars(sa.select(Letter.return_code).where(Letter.run_id == made.id, Letter.sequence == 1)).one()
    form = RECEIPT | {"letter": code, "day": YESTERDAY}
    scanned = page(officer, home, post=form | {"result": ""})
    assert [field["name"] for field in scanned.all("input") if "autofocus" in field] == ["result"]
    saved = page(officer, home, post=form | {"result": "1"})
    assert "Letter 1: Signed. Saved." in saved.text
    assert "1 of 2 entered" in saved.text
    by_name = {str(field.get("name")): field for field in saved.all("input")}
    assert by_name["letter"]["value"] == ""
    assert by_name["officer"]["value"] == "Sample OFFICER", "it is the same for the whole round"
    assert "autofocus" in by_name["letter"]
    assert session.scalars(sa.text("select state from outcome where state = 'told'")).all() == ["told"]
    assert "entered before" in page(officer, home, post=form | {"result": "4"}, status=409).text


@pytest.mark.parametrize(
    ("changed", "focus"),
    [
        ({"letter": "9"}, "letter"),
        ({"result": "6"}, "result"),
        ({"officer": ""}, "officer"),
        ({"result": "3"}, "witness"),
        ({"day": ""}, "day"),
        ({"day": "2001-01-01"}, "day"),
    ],
)
def test_a_receipt_that_cannot_be_right_leads_to_the_field_that_is_wrong(
    session: Session, page: Fetch, sign_in: SignIn, changed: dict[str, str], focus: str
) -> None:
    made = packet(session)
    made.made_at = now().replace(year=now().year - 1)
    session.commit()
    form = RECEIPT | {"letter": "1", "result": "1", "day": YESTERDAY} | changed
    answer = submit(sign_in(Role.OFFICER), f"/packets/{made.id}", form)
    assert answer.status_code in (400, 404, 409)
    assert f'name="{focus}"' in next(line for line in answer.text.splitlines() if " autofocus" in line)


def test_receipts_wait_until_the_officer_has_the_packet(session: Session, page: Fetch, sign_in: SignIn) -> None:
    found = page(sign_in(Role.OFFICER), f"/packets/{packet(session, RunState.ENVELOPED).id}")
    assert "once the packet is marked as given to the officer" in found.text


def test_a_run_by_post_is_no_packet(run: PrintRun, sign_in: SignIn) -> None:
    assert sign_in(Role.OFFICER).get(f"/packets/{run.id}").status_code == 404
    assert submit(sign_in(Role.OFFICER), f"/packets/{run.id}/papers").status_code == 404
