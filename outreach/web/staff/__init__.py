"""The pages for staff. A folder's worth of pages is one module with one blueprint, listed here."""

from flask import Flask

from outreach.web.staff import (
    accounts,
    added_steps,
    attorneys,
    audit,
    auth,
    base,
    breakers,
    campaigns,
    channel_plan,
    contacts,
    facilities,
    imminent,
    imports,
    notices,
    overview,
    packets,
    people,
    print_room,
    reconciliation,
    replies,
    returned_mail,
    tasks,
    undecided,
)

PAGES = (
    auth.pages,
    overview.pages,
    breakers.pages,
    people.pages,
    contacts.pages,
    facilities.pages,
    imminent.pages,
    attorneys.pages,
    imports.pages,
    campaigns.pages,
    added_steps.pages,
    channel_plan.pages,
    notices.pages,
    print_room.pages,
    packets.pages,
    returned_mail.pages,
    replies.pages,
    reconciliation.pages,
    tasks.pages,
    undecided.pages,
    audit.pages,
    accounts.pages,
)


def add_pages(app: Flask) -> None:
    """Register every page and what their layout needs."""
    base.prepare(app)
    for pages in PAGES:
        app.register_blueprint(pages)
