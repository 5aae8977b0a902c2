"""The panel's own language: the account's, else the browser's. English is the source, Spanish is complete."""

from pathlib import Path

from flask import Flask, request
from flask_babel import Babel, format_decimal, get_translations
from markupsafe import Markup

from outreach.web.panel import account_or_none

TRANSLATIONS = Path(__file__).parents[2] / "translations"
LOCALES = {"en": "English", "es": "Español"}


class CatalogueMissing(Exception):
    """A language of the panel has no compiled catalogue, so its pages would silently be English."""


def speak(app: Flask) -> None:
    """Raises CatalogueMissing."""
    for locale in LOCALES:
        if locale != "en" and not (TRANSLATIONS / locale / "LC_MESSAGES" / "messages.mo").exists():
            raise CatalogueMissing(f"translations/{locale} is not compiled. Run: make setup")
    Babel(
        app,
        default_locale="en",
        default_timezone="UTC",
        default_translation_directories=str(TRANSLATIONS),
        locale_selector=choose,
    )
    app.jinja_env.globals["ngettext"] = counted


def counted(singular: str, plural: str, num: int, **variables: object) -> Markup:
    """`ngettext` of the templates, with `num` as the reader writes it: 1,805 people, and not 1805."""
    words = Markup(get_translations().ngettext(singular, plural, num))  # noqa: S704  # ours; what it is filled with is escaped
    return words % {"num": format_decimal(num), **variables}


def choose() -> str:
    """The locale of this request."""
    found = account_or_none()
    if found is not None and found.locale in LOCALES:
        return found.locale
    return request.accept_languages.best_match(list(LOCALES)) or "en"
