"""What a page has at hand: the settings, the database, the doorbell, and who is signed in."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app, g
from sqlalchemy.orm import Session, sessionmaker

from outreach.access.accounts import Account
from outreach.settings import Settings


@dataclass(frozen=True, slots=True)
class Panel:
    """`ring` tells the workers that there is something to do. It is called after the commit, and losing a call costs seconds."""

    settings: Settings
    sessions: sessionmaker[Session]
    ring: Callable[..., object]

    @property
    def secure(self) -> bool:
        """Whether browsers reach the panel by https, so that cookies can be bound to it."""
        return self.settings.public_base_url.startswith("https://")


def panel() -> Panel:
    """The panel that serves this request."""
    found = current_app.extensions["outreach"]
    assert isinstance(found, Panel)  # set by create_app, never by a user
    return found


def account_or_none() -> Account | None:
    """Who is signed in, if anybody."""
    found: Account | None = g.get("account")
    return found


def account() -> Account:
    """Who is signed in, on a page that only they can open."""
    found = account_or_none()
    assert found is not None  # the gate lets nobody else in
    return found
