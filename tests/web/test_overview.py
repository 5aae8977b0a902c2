"""The overview: everybody is counted once, and everything adds up."""

import re

import pytest
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.campaigns.outcome import CounselOutcome, OutcomeState, Reason
from outreach.people.custody import Custody
from tests.factories import make_attorney, make_campaign, make_outcome, make_person
from tests.web.conftest import Fetch, SignIn


@pytest.fixture
def six(session: Session) -> tuple[str, str]:
    """Six people in two campaigns, and one of them in none; the ids of the campaigns."""
    first, second = make_campaign(session, title="First"), make_campaign(session, title="Second")
    told, reached, better, out, nobody = (make_person(session, language=code) for code in ("es", "ar", "ar", "es", None))
    held = make_person(session, language="es", custody=Custody.DETAINED)
    make_outcome(session, first, told, OutcomeState.TOLD)
    make_outcome(session, first, reached, OutcomeState.REACHED)
    make_outcome(session, first, better, OutcomeState.EXHAUSTED, Reason.NOT_DELIVERED)
    make_outcome(session, second, better, OutcomeState.REACHED)
    make_outcome(session, first, out, OutcomeState.EXHAUSTED, Reason.NO_CONTACT)
    make_outcome(session, first, held, OutcomeState.EXCLUDED, Reason.IN_CUSTODY)
    assert nobody.language is None
    session.commit()
    return str(first.id), str(second.id)


def equation(text: str) -> tuple[int, int]:
    """The two sides of the printed sum."""
    found = re.search(r"([\d,]+) = ((?:[\d,]+ [a-z ]+(?:\+ )?)+)", text)
    assert found, text
    numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", found[2])]
    return int(found[1].replace(",", "")), sum(numbers)


@pytest.mark.usefixtures("six")
def test_each_person_counts_once_by_the_best_of_all_campaigns(sign_in: SignIn, page: Fetch) -> None:
    text = page(sign_in(Role.OFFICER), "/").text
    assert "6 = 1 told + 2 reached + 0 on the way + 0 planned + 1 not reached + 1 left out + 1 in no campaign" in text
    assert "3 of 6 people have been reached or told." in text
    assert equation(text) == (6, 6)


def test_a_campaign_counts_its_own_audience(sign_in: SignIn, page: Fetch, six: tuple[str, str]) -> None:
    client = sign_in(Role.OFFICER)
    first, second = (page(client, f"/?campaign={campaign}").text for campaign in six)
    assert "5 = 1 told + 1 reached + 0 on the way + 0 planned + 2 not reached + 1 left out" in first
    assert "1 = 0 told + 1 reached" in second
    page(client, "/?campaign=none-of-ours", status=404)


@pytest.mark.usefixtures("six")
def test_languages_and_custody_add_up_too_and_unknown_is_a_row_of_its_own(sign_in: SignIn, page: Fetch) -> None:
    html = page(sign_in(Role.OFFICER), "/").html
    for section in ("custody", "language"):
        table = html.split(f'<section aria-labelledby="{section}">')[1].split("</section>")[0]
        assert sum(int(number) for number in re.findall(r">(\d+)</a></td>", table)) == 6
    assert "Language not known" in html
    assert "language=unknown" in html


@pytest.mark.usefixtures("six")
def test_a_number_leads_to_as_many_people_as_it_says(sign_in: SignIn, page: Fetch) -> None:
    client = sign_in(Role.SUPERVISOR)
    found = re.findall(r'href="(/people\?[^"]+)">([\d,]+)</a>', page(client, "/").html)
    assert len(found) > 6
    for address, number in found:
        listed = page(client, address.replace("&amp;", "&"))
        assert f"of {number} people" in listed.text, address


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize("role", [Role.APPROVER, Role.AUDITOR])
def test_who_may_not_see_people_sees_the_figures_without_links(sign_in: SignIn, page: Fetch, role: Role) -> None:
    overview = page(sign_in(role), "/")
    assert equation(overview.text) == (6, 6)
    assert not any(link.startswith("/people") for link in overview.links())


@pytest.mark.usefixtures("six")
def test_the_chart_says_in_words_what_it_shows(sign_in: SignIn, page: Fetch) -> None:
    html = page(sign_in(Role.OFFICER), "/").html
    assert "Told: 1. Reached: 2." in html
    chart = html.split('class="chart__bar"')[1].split("</svg>")[0]
    widths = [float(width) for width in re.findall(r'width="([\d.]+)"', chart)]
    assert sum(widths) == pytest.approx(640, abs=0.1)


def test_attorneys_are_counted_beside_the_people(sign_in: SignIn, page: Fetch, session: Session) -> None:
    first, second = make_campaign(session), make_campaign(session)
    people = [make_person(session) for _ in range(5)]
    attorneys = [make_attorney(session) for _ in range(2)]
    # Reached by one of two attorneys; told in the second campaign only; nobody reachable; decided; without counsel.
    standing = [
        (people[0], first, attorneys[0], "exhausted"),
        (people[0], first, attorneys[1], "reached"),
        (people[1], first, attorneys[0], "exhausted"),
        (people[1], second, attorneys[0], "told"),
        (people[2], first, attorneys[0], "exhausted"),
        (people[3], first, attorneys[0], "planned"),
    ]
    for number, person in enumerate(people):
        make_outcome(session, first, person, OutcomeState.PLANNED).counsel = "none" if number == 4 else "represented"
    make_outcome(session, second, people[1], OutcomeState.PLANNED).counsel = "represented"
    session.add_all(CounselOutcome(campaign_id=c.id, person_id=p.id, attorney_id=a.id, state=s) for p, c, a, s in standing)
    session.commit()
    auditor = sign_in(Role.AUDITOR)
    over_all = page(auditor, "/").text
    assert "Attorneys told 1 of 4 people who are represented" in over_all
    assert "Attorneys reached 1 " in over_all
    of_first = page(auditor, f"/?campaign={first.id}").text
    assert "Attorneys told 0 of 4 people who are represented" in of_first
    assert "Attorneys reached 1 " in of_first
    assert "Attorneys to be told 1 " in of_first
    assert "Attorneys not reached 2 " in of_first
    assert "No attorney on record 1 " in of_first


@pytest.mark.usefixtures("six")
def test_where_no_step_was_for_attorneys_the_overview_is_silent_about_them(sign_in: SignIn, page: Fetch) -> None:
    assert "Attorneys told" not in page(sign_in(Role.OFFICER), "/").text


def test_with_nobody_recorded_it_says_so(sign_in: SignIn, page: Fetch) -> None:
    assert "Nobody is recorded yet" in page(sign_in(Role.OFFICER), "/").text
