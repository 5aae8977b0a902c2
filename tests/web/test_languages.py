"""How the panel's sentences are put together in the reader's language."""

import pytest
from flask import Flask, render_template_string

SENTENCE = """{{ ngettext("%(num)s person by %(who)s.", "%(num)s people by %(who)s.", count, who="<i>") }}"""


@pytest.mark.parametrize(
    ("locale", "count", "said"), [("en", 1805, "1,805 people"), ("en", 1, "1 person"), ("es", 18050, "18.050 people")]
)
def test_a_number_in_a_sentence_is_written_as_its_reader_does(app: Flask, locale: str, count: int, said: str) -> None:
    with app.test_request_context(headers={"Accept-Language": locale}):
        assert render_template_string(SENTENCE, count=count) == f"{said} by &lt;i&gt;."
