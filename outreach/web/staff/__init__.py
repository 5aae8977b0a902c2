"""The pages for staff. A folder's worth of pages is one module with one blueprint, listed here."""

from flask import Flask

from outreach.web.staff import (
    accounts,
    attorneys,
    audit,
    auth,
    base,
    breakers,
    campaigns,
    channel_plan,
    contacts,
    facilities,
    imports,
    notices,
    overview,
    packets,
    people,
    print_room,
    replies,
    returned_mail,
    undecided,
)

PAGES = (
    auth.pages,
    overview.pages,
    breakers.pages,
    people.pages,
    contacts.pages,
    facilities.pages,
    attorneys.pages,
    imports.pages,
    campaigns.pages,
    channel_plan.pages,
    notices.pages,
    print_room.pages,
    packets.pages,
    returned_mail.pages,
    replies.pages,
    undecided.pages,
    audit.pages,
    accounts.pages,
)


def add_pages(app: Flask) -> None:
    """Register every page and what their layout needs."""
    base.prepare(app)
    for pages in PAGES:
        app.register_blueprint(pages)
