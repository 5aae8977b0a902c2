"""The panel speaks Spanish in full: every text of code and templates is in the catalogue, translated, with its placeholders."""

import re
from itertools import chain
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

from outreach.web.languages import LOCALES, TRANSLATIONS

ROOT = TRANSLATIONS.parent
TRANSLATED = [locale for locale in LOCALES if locale != "en"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """All texts as they are now, extracted as `make catalogues` does."""
    target = tmp_path_factory.mktemp("texts") / "messages.pot"
    keywords = re.findall(r" (-k) (\S+)", (ROOT / "Makefile").read_text())
    options = ["-F", str(ROOT / "pyproject.toml"), *chain.from_iterable(keywords), "--no-location", "-o", str(target)]
    with pytest.MonkeyPatch.context() as here:
        here.chdir(ROOT)
        CommandLineInterface().run(["pybabel", "--quiet", "extract", *options, "."])  # type: ignore[no-untyped-call]  # Babel annotates a part of itself
    return _read(target)


def _read(path: Path, locale: str | None = None) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=locale)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_the_catalogue_is_complete_and_none_of_it_is_left_over(texts: Catalog, locale: str) -> None:
    catalogue = _read(TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po", locale)
    now, translated = ({message.id for message in found if message.id} for found in (texts, catalogue))
    assert now == translated, "run: make catalogues"
    for message in catalogue:
        if message.id:
            parts = message.string if isinstance(message.string, tuple | list) else [message.string]
            assert all(parts), f"not translated: {message.id}"
            assert not message.fuzzy, f"a guess that nobody confirmed: {message.id}"


@pytest.mark.parametrize("locale", TRANSLATED)
def test_each_translation_fills_in_the_same_values(texts: Catalog, locale: str) -> None:
    catalogue = _read(TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po", locale)
    wrong = [message.id for message in catalogue if message.check(catalogue)]
    assert wrong == []


def test_the_texts_of_code_and_templates_are_found(texts: Catalog) -> None:
    for text in (
        "Overview",
        "In detention",
        "This form is too old",
        "Sign in",
        "Only a draft can be submitted.",
        "This step was approved already.",
    ):
        assert text in texts
