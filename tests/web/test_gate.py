"""Deny by default: every route has a row here, for every role, and a new route without a row fails."""

from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.web import gate
from tests.web.conftest import SignIn, form_token

O, A, S, U = Role.OFFICER, Role.APPROVER, Role.SUPERVISOR, Role.AUDITOR  # noqa: E741  # one letter a column

PUBLIC = "anybody"
PROVIDER = "a provider, known by its signature"
LINK = "anybody who has the link, without a form of ours"
STAFF = {O, A, S, U}

MATRIX = {
    "static": PUBLIC,
    "twilio.status": PROVIDER,
    "twilio.inbound": PROVIDER,
    "sendgrid.about_mails": PROVIDER,
    "sendgrid.inbound": PROVIDER,
    "postgrid.about_letters": PROVIDER,
    "mail_stop.show": PUBLIC,
    "mail_stop.stop": LINK,
    "auth.show": PUBLIC,
    "auth.sign_in": PUBLIC,
    "auth.sign_out": STAFF,
    "auth.own": STAFF,
    "auth.change": STAFF,
    "overview.show": STAFF,
    "breakers.index": STAFF,
    "breakers.close": {A, S},
    "people.index": {O, S},
    "people.find": {O, S},
    "people.show": {O, S},
    "people.reveal": {O, S},
    "people.set_safety": {O, S},
    "people.set_protected": {S},
    "people.set_large_print": {O, S},
    "contacts.new": {O, S},
    "contacts.add": {O, S},
    "contacts.replacing": {O, S},
    "contacts.replace": {O, S},
    "contacts.review": {S},
    "contacts.consent": {O, S},
    "imminent.index": {O, A, S},
    "imminent.ask": {O, S},
    "imminent.approve": {A, S},
    "imminent.end": {O, A, S},
    "facilities.index": {O, S},
    "facilities.edit": {S},
    "facilities.change": {S},
    "attorneys.index": {O, S},
    "attorneys.find": {O, S},
    "attorneys.new": {O, S},
    "attorneys.add": {O, S},
    "attorneys.show": {O, S},
    "attorneys.edit": {O, S},
    "attorneys.change": {O, S},
    "attorneys.waiting": {O, S},
    "attorneys.verify_many": {O, S},
    "attorneys.choose": {O, S},
    "attorneys.choose_found": {O, S},
    "attorneys.appear": {O, S},
    "attorneys.add_appearance": {O, S},
    "attorneys.verify": {O, S},
    "attorneys.ending": {O, S},
    "attorneys.end": {O, S},
    "imports.index": {O, S},
    "imports.new": {O, S},
    "imports.add": {O, S},
    "imports.show": {O, S},
    "imports.live": {O, S},
    "imports.columns": {O, S},
    "imports.choose": {O, S},
    "imports.check": {O, S},
    "imports.start": {O, S},
    "imports.discard": {O, S},
    "imports.rows": {O, S},
    "imports.download": {O, S},
    "imports.row": {O, S},
    "imports.correct": {O, S},
    "imports.dismiss": {O, S},
    "campaigns.index": {O, A, S},
    "campaigns.new": {O, S},
    "campaigns.add": {O, S},
    "campaigns.show": {O, A, S},
    "campaigns.edit": {O, S},
    "campaigns.change": {O, S},
    "campaigns.submit": {O, S},
    "campaigns.approve": {A, S},
    "campaigns.send_back": {O, A, S},
    "campaigns.launch": {O, S},
    "campaigns.pause": {O, A, S},
    "campaigns.resume": {O, S},
    "campaigns.pass_canary": {O, A, S},
    "campaigns.raise_cap": {A, S},
    "campaigns.stop": {O, A, S},
    "campaigns.live": {O, A, S},
    "channel_plan.index": {O, A, S},
    "channel_plan.edit": {S},
    "channel_plan.change": {S},
    "notices.index": {O, A, S},
    "notices.add": {O, S},
    "notices.add_starters": {O, S},
    "notices.show": {O, A, S},
    "notices.text": {O, A, S},
    "notices.edit": {O, S},
    "notices.draft": {O, S},
    "notices.look": {O, S},
    "notices.preview_typed": {O, S},
    "notices.preview": {O, A, S},
    "notices.approve": {A, S},
    "replies.index": {O, S},
    "replies.show": {O, S},
    "replies.reveal": {O, S},
    "replies.bind": {O, S},
    "replies.handle": {O, S},
    "replies.handle_all": {O, S},
    "print_room.index": STAFF,
    "print_room.show": STAFF,
    "print_room.counts": STAFF,
    "print_room.manifest_csv": STAFF,
    "print_room.download": {O, S},
    "print_room.printed": {O, S},
    "print_room.enveloped": {O, S},
    "print_room.hand_over": {O, S},
    "print_room.void": {O, S},
    "print_room.taken_out": {O, S},
    "print_room.take_out": {O, S},
    "print_room.print_again": {O, S},
    "packets.show": STAFF,
    "packets.enter": {O, S},
    "packets.papers": {O, S},
    "returned_mail.index": {O, S, U},
    "returned_mail.scan": {O, S},
    "returned_mail.save": {O, S},
    "returned_mail.reveal": {O, S},
    "returned_mail.remail": {O, S},
    "added_steps.new": {O, S},
    "added_steps.add": {O, S},
    "added_steps.show": {O, A, S},
    "added_steps.approve": {A, S},
    "added_steps.withdraw": {O, A, S},
    "tasks.index": {O, A, S},
    "tasks.show": {O, S},
    "tasks.close": {O, S},
    "undecided.show": {O, A, S},
    "undecided.handed_over": {A, S},
    "undecided.not_handed_over": {A, S},
    "reconciliation.index": {O, S, U},
    "reconciliation.show": {O, S, U},
    "reconciliation.compare": {S},
    "reconciliation.redact_again": {S},
    "audit.index": {S, U},
    "audit.verify": {S, U},
    "accounts.index": {S},
    "accounts.new": {S},
    "accounts.add": {S},
    "accounts.deactivate": {S},
    "accounts.change_role": {S},
}
"""Who may open what. docs/access.md says why."""

AN_ID = UUID(int=1)


def _fill(app: Flask, endpoint: str) -> list[tuple[str, str]]:
    """(method, path) of an endpoint's rules, with some value for each part of the path."""
    found = []
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules(endpoint):
        kinds = {name: type(converter).__name__ for name, converter in rule._converters.items()}
        values = {name: AN_ID if kind == "UUIDConverter" else 1 if "Int" in kind else "x" for name, kind in kinds.items()}
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        found += [(method, adapter.build(endpoint, values, method=method)) for method in methods]
    return found


def _ask(client: FlaskClient, method: str, path: str, token: str) -> int:
    return (client.get(path) if method == "GET" else client.post(path, data={"csrf_token": token})).status_code


def test_every_route_has_a_row_and_every_row_a_route(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(MATRIX)


@pytest.mark.parametrize("role", Role)
def test_a_role_opens_what_its_row_says_and_nothing_else(app: Flask, sign_in: SignIn, role: Role) -> None:
    client = sign_in(role)
    token = form_token(client)
    for endpoint, roles in sorted(MATRIX.items(), key=lambda row: row[0] == "auth.sign_out"):  # nothing can be asked after that
        if roles == PROVIDER:
            continue
        for method, path in _fill(app, endpoint):
            status = _ask(client, method, path, token)
            if roles in (PUBLIC, LINK) or role in roles:
                assert status not in (401, 403), f"{role} is refused {method} {path}"
                assert status < 500, f"{method} {path} fails with {status}"
            else:
                assert status == 403, f"{role} gets {status} from {method} {path}"


def test_who_is_not_signed_in_is_sent_to_the_sign_in_page(app: Flask) -> None:
    client = app.test_client()
    token = form_token(client)
    for endpoint, roles in MATRIX.items():
        if roles in (PUBLIC, PROVIDER, LINK):
            continue
        for method, path in _fill(app, endpoint):
            answer = client.get(path) if method == "GET" else client.post(path, data={"csrf_token": token})
            assert answer.status_code == 302, f"{method} {path} answers a stranger with {answer.status_code}"
            assert answer.location.startswith("/sign-in")


def test_htmx_is_told_to_open_the_sign_in_page_instead_of_putting_it_into_the_page(app: Flask) -> None:
    answer = app.test_client().get("/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in"


def test_a_call_that_no_provider_signed_is_refused(app: Flask) -> None:
    for endpoint, roles in MATRIX.items():
        if roles == PROVIDER:
            for method, path in _fill(app, endpoint):
                assert app.test_client().open(path, method=method).status_code == 403, f"{path} believes a stranger"


def test_no_form_is_taken_without_its_token(app: Flask, sign_in: SignIn) -> None:
    client = sign_in(Role.SUPERVISOR)
    for endpoint, roles in MATRIX.items():
        for method, path in _fill(app, endpoint):
            if method != "GET" and roles not in (PROVIDER, LINK):
                assert client.post(path).status_code == 400, f"{path} takes a form without a token"


def test_the_token_may_come_in_the_header_that_htmx_sends(sign_in: SignIn) -> None:
    client = sign_in(Role.OFFICER)
    token = client.get("/account").text.split('X-CSRFToken": "')[1].split('"')[0]
    assert client.post("/account", data={"locale": "es"}, headers={"X-CSRFToken": token}).status_code == 302


def test_the_panel_does_not_start_with_a_route_that_says_nothing(app: Flask) -> None:
    app.view_functions["forgotten"] = lambda: ""
    app.url_map.add(app.url_rule_class("/forgotten", endpoint="forgotten"))
    with pytest.raises(gate.Unguarded, match="forgotten"):
        gate.refuse_unguarded(app)
    assert app.test_client().get("/forgotten").status_code == 403, "and were it to start, nobody could open it"


def test_a_refusal_says_which_role_can(sign_in: SignIn) -> None:
    answer = sign_in(Role.OFFICER).get("/accounts")
    assert "This is for: supervisor." in answer.text


def test_the_menu_offers_what_the_role_can_open(sign_in: SignIn, session: Session) -> None:
    offered = {role: set(_menu(sign_in(role).get("/").text)) for role in Role}
    assert "/people" in offered[O]
    assert "/people" not in offered[A] | offered[U]
    assert "/audit" in offered[U]
    assert "/accounts" not in offered[O]


def _menu(html: str) -> list[str]:
    return [part.split('"')[0] for part in html.split('class="usa-nav-link')[1:] for part in [part.split('href="')[1]]]


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("/people?custody=released", "/people?custody=released"),
        ("", "/"),
        ("https://elsewhere.example.org/", "/"),
        ("//elsewhere.example.org", "/"),
        ("/\\elsewhere.example.org", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_after_signing_in_the_way_leads_to_this_site_only(app: Flask, asked: str, where: str) -> None:
    with app.test_request_context():
        assert gate.safe_next(asked) == where
