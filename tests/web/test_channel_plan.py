"""The channel plan: read by all who build or approve campaigns, changed by supervisors, within what is never allowed."""

import pytest
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.campaigns import rules
from outreach.campaigns.rules import Rule
from outreach.notices.channel import Channel
from outreach.people.custody import Custody
from tests.web.conftest import Fetch, SignIn, submit


def test_everybody_reads_the_ways_in_order_of_time_and_what_can_never_be(sign_in: SignIn, page: Fetch) -> None:
    shown = page(sign_in(Role.APPROVER), "/channel-plan")
    assert (
        "In detention at the launch: letter by hand at the launch: e-mail to their attorney after 1 day: letter after 1 day:"
        " letter to their attorney text message, e-mail: Phones and mailboxes of people inside are in other hands." in shown.text
    )
    assert "after 7 days: letter only after a safety review" in shown.text
    assert "Deceased nothing" in shown.text
    assert not [link for link in shown.links() if link.startswith("/channel-plan/")], "and only a supervisor changes it"
    assert "/channel-plan/released" in page(sign_in(Role.SUPERVISOR), "/channel-plan").links()


def test_a_supervisor_changes_the_ways_of_one_custody(sign_in: SignIn, page: Fetch, session: Session) -> None:
    supervisor = sign_in(Role.SUPERVISOR)
    before = rules.load(session)
    form = {"channel-0": "letter", "wait-0": "48", "channel-1": "sms", "wait-1": "0", "channel-2": "email", "wait-2": "0"}
    answer = submit(supervisor, "/channel-plan/released", form)
    assert "The plan is changed" in page(supervisor, answer.location).text
    session.expire_all()
    after = rules.load(session)
    assert after[Custody.RELEASED] == (Rule(Channel.SMS), Rule(Channel.EMAIL), Rule(Channel.LETTER, 48))
    assert {c: r for c, r in after.items() if c != Custody.RELEASED} == {c: r for c, r in before.items() if c != Custody.RELEASED}


@pytest.mark.parametrize(
    ("custody", "form", "sentence"),
    [
        ("detained", {"channel-0": "sms", "wait-0": "0"}, "This way is never safe for people of this custody."),
        ("removed", {"channel-0": "letter", "wait-0": "0"}, "Nothing goes abroad without a safety review"),
        ("released", {"channel-0": "sms", "wait-0": "9999"}, "A wait is between 0 hours and 90 days."),
        ("released", {"channel-0": "sms", "wait-0": "1", "channel-1": "sms", "wait-1": "1"}, "stands twice at the same hour"),
        ("released", {"channel-0": "", "wait-0": "1"}, "Choose the way in row 1"),
        ("released", {"channel-0": "sms", "wait-0": "soon"}, "Give the hours in row 1 as a whole number"),
    ],
)
def test_what_may_not_be_is_said_and_what_was_typed_stays(
    sign_in: SignIn, page: Fetch, session: Session, custody: str, form: dict[str, str], sentence: str
) -> None:
    before = rules.load(session)
    answer = page(sign_in(Role.SUPERVISOR), f"/channel-plan/{custody}", status=400, post=form)
    assert sentence in answer.text
    (wait,) = (field for field in answer.all("input") if field.get("name") == "wait-0")
    assert wait["value"] == form["wait-0"]
    session.expire_all()
    assert rules.load(session) == before


def test_a_refusal_is_said_in_the_panels_language(sign_in: SignIn, page: Fetch) -> None:
    form = {"channel-0": "sms", "wait-0": "0"}
    answer = page(sign_in(Role.SUPERVISOR, locale="es"), "/channel-plan/detained", status=400, post=form)
    assert "never safe" not in answer.text


def test_what_can_never_be_cannot_be_chosen_and_the_form_says_why(sign_in: SignIn, page: Fetch) -> None:
    supervisor = sign_in(Role.SUPERVISOR)
    form = page(supervisor, "/channel-plan/detained")
    assert not {"sms", "email"} & {str(option.get("value")) for option in form.all("option")}
    assert "Text message : Phones and mailboxes of people inside are in other hands." in form.text
    nobody = page(supervisor, "/channel-plan/deceased")
    assert "Nothing is sent about somebody who died." in nobody.text
    assert not [1 for form, _ in nobody.forms if str(form.get("action")).startswith("/channel-plan")]
    page(supervisor, "/channel-plan/nowhere", status=404)


@pytest.mark.parametrize(("button", "left"), [("add", ["0", "72", ""]), ("remove-0", ["72"])])
def test_rows_are_added_and_removed_without_a_script(
    sign_in: SignIn, page: Fetch, session: Session, button: str, left: list[str]
) -> None:
    before = rules.load(session)
    form = {"channel-0": "sms", "wait-0": "0", "channel-1": "letter", "wait-1": "72", "rows": button}
    shown = page(sign_in(Role.SUPERVISOR), "/channel-plan/released", post=form)
    assert [field["value"] for field in shown.all("input") if str(field.get("name")).startswith("wait-")] == left
    assert rules.load(session) == before
