"""Asking for an imminent removal on a person's file, and approving it."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Role
from outreach.access.audit import AuditEntry
from outreach.db import now
from outreach.delivery import plan
from outreach.people.imminent import ImminentRemoval
from tests.factories import make_account, make_contact, make_incident, make_person
from tests.stage import make_notice, make_running
from tests.web.conftest import Fetch, SignIn, submit

WHY = "The field office says that the flight leaves tonight"


def form(days: int = 1, **fields: str) -> dict[str, str]:
    return {"reason": WHY, "until": (now().date() + timedelta(days=days)).isoformat()} | fields


def the_one(session: Session) -> ImminentRemoval:
    session.expire_all()
    return session.scalars(sa.select(ImminentRemoval)).one()


def test_it_is_asked_for_on_the_file_approved_by_another_and_what_waited_goes(
    page: Fetch, sign_in: SignIn, session: Session, rings: list[tuple[object, ...]]
) -> None:
    incident = make_incident(session)
    person = make_person(session, incident=incident)
    make_contact(session, person)
    make_running(session, incident, make_notice(session, by=make_account(session, Role.APPROVER)))
    for step in plan.due_steps(session):
        plan.plan(session, step)
    session.execute(sa.text("update message set due_at = now() + interval '9 hours', reason = 'quiet_hours'"))
    session.commit()
    officer, approver, path = sign_in(Role.OFFICER), sign_in(Role.APPROVER), f"/people/{person.id}"
    assert "Ask a second person" in page(officer, path).text

    assert submit(officer, f"{path}/imminent-removal", form()).status_code == 302
    shown = page(officer, path).text
    assert "Asked for. It counts once" in shown
    assert f"Waits for a second person , asked for until {now() + timedelta(days=2):%-d %b %Y}, 00:00 UTC {WHY}" in shown
    assert "You asked for it: a second person approves it." in shown
    assert page(officer, "/imminent-removals").text.count(WHY) == 1

    listed = page(approver, "/imminent-removals")
    assert WHY in listed.text
    assert str(person.id) not in listed.html, "an approver learns the reason and not who it is"
    assert "Turn it down" in listed.text
    assert rings == []
    assert submit(approver, f"/imminent-removals/{the_one(session).id}/approve").status_code == 302
    assert rings == [(jobs.dispatch,)]
    assert session.scalar(sa.text("select due_at <= now() from message"))
    assert "Approved. Texts about this person go at any hour until it ends." in page(approver, "/imminent-removals").text

    assert "In force until" in page(officer, path).text
    ended = submit(officer, f"/imminent-removals/{the_one(session).id}/end", {"on": "file"})
    assert ended.location.endswith(f"{path}#imminent")
    assert "Earlier ones" in page(officer, path).text
    assert "There is none to approve, and none in force." in page(officer, "/imminent-removals").text


def test_what_is_refused_is_said(page: Fetch, sign_in: SignIn, session: Session) -> None:
    person = make_person(session)
    session.commit()
    supervisor, path = sign_in(Role.SUPERVISOR), f"/people/{person.id}"
    for fields, sentence in (({"reason": " "}, "Write down why this cannot wait"), ({"days": 30}, "within the next 14 days")):
        submit(supervisor, f"{path}/imminent-removal", form(**fields))
        assert sentence in page(supervisor, path).text
    assert submit(supervisor, f"{path}/imminent-removal", form(until="tomorrow")).status_code == 400
    submit(supervisor, f"{path}/imminent-removal", form())
    answer = submit(supervisor, f"/imminent-removals/{the_one(session).id}/approve")
    assert answer.status_code == 409
    assert "Somebody else has to approve it." in answer.text
    assert the_one(session).approved_at is None


def test_one_about_a_protected_person_is_counted_and_not_shown(page: Fetch, sign_in: SignIn, session: Session) -> None:
    person = make_person(session, protected=True)
    session.commit()
    submit(sign_in(Role.SUPERVISOR), f"/people/{person.id}/imminent-removal", form())
    approver = sign_in(Role.APPROVER)
    shown = page(approver, "/imminent-removals").text
    assert "1 more is about a protected person. Only a supervisor can see it." in shown
    assert WHY not in shown
    for verb in ("approve", "end"):
        assert submit(approver, f"/imminent-removals/{the_one(session).id}/{verb}").status_code == 403
    listings = session.scalars(sa.select(AuditEntry.detail).where(AuditEntry.action == "person.list")).all()
    assert [(entry["query"], entry["people"]) for entry in listings] == [("imminent", 0)]
