"""The pages of facilities."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.access.audit import AuditEntry
from outreach.db import new_id
from outreach.people import facilities
from outreach.people.custody import ANumberRule, Facility, MailMarking
from tests.web.conftest import Fetch, SignIn, submit

SOUND = {
    "name": "Mesa Ficticia Center", "time_zone": "America/Chicago", "address": "PO Box 5001\r\nSampleton, TX 78799",
    "a_number_rule": "full", "mail_marking": "special_correspondence",
}  # fmt: skip


@pytest.fixture
def facility(session: Session) -> Facility:
    found = Facility(id=new_id(), code="FICTXA", name="Mesa Ficticia <Center>")
    session.add(found)
    session.commit()
    return found


def test_the_list_shows_what_is_missing(page: Fetch, sign_in: SignIn, facility: Facility) -> None:
    shown = page(sign_in(Role.OFFICER), "/facilities")

    assert "FICTXA 0 Missing None Legal mail" in shown.text
    assert f"/facilities/{facility.id}" not in shown.links(), "an officer changes nothing"
    assert f"/facilities/{facility.id}" in page(sign_in(Role.SUPERVISOR), "/facilities").links()


def test_a_supervisor_says_how_a_facility_takes_mail(page: Fetch, sign_in: SignIn, session: Session, facility: Facility) -> None:
    client = sign_in(Role.SUPERVISOR)
    page(client, f"/facilities/{facility.id}")

    assert submit(client, f"/facilities/{facility.id}", SOUND).status_code == 302

    session.expire_all()
    assert facilities.mail_rules(session, [facility.id])[facility.id] == facilities.MailRules(
        "Mesa Ficticia Center", ("PO Box 5001", "Sampleton, TX 78799"), ANumberRule.FULL, MailMarking.SPECIAL_CORRESPONDENCE
    )
    assert session.scalar(sa.select(AuditEntry.object_id).where(AuditEntry.action == "facility.change")) == facility.id
    assert "PO Box 5001" in page(client, f"/facilities/{facility.id}").html
    assert "FICTXA 0 On file The whole number Special correspondence" in page(client, "/facilities").text


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"address": "PO Box 5001\nSampleton, TX 10001"}, "another state"),
        ({"address": "5 Sample Road, Atlantis"}, "ZIP code"),
        ({"name": " "}, "Give the name"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    page: Fetch, sign_in: SignIn, facility: Facility, wrong: dict[str, str], says: str
) -> None:
    shown = page(
        sign_in(Role.SUPERVISOR), f"/facilities/{facility.id}", status=400, post=SOUND | {"time_zone": "America/Denver"} | wrong
    )

    assert says in shown.text
    assert 'value="America/Denver" selected' in shown.html


@pytest.mark.parametrize("wrong", [{"a_number_rule": "all"}, {"mail_marking": ""}, {"time_zone": "Utopia"}])
def test_nonsense_is_refused(sign_in: SignIn, facility: Facility, wrong: dict[str, str]) -> None:
    assert submit(sign_in(Role.SUPERVISOR), f"/facilities/{facility.id}", SOUND | wrong).status_code == 400
