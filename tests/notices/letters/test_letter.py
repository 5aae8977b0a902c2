"""What a letter says, kept as text and read back."""

import json

import pytest

from outreach.notices.letters import samples
from outreach.notices.letters.letter import Layout, LetterContent, UnknownVersion, as_json, from_json


@pytest.mark.parametrize(
    "content",
    [samples.letter("ar"), samples.attorney(), samples.letter("zh-Hans", Layout.HAND, large_print=True, duplicate=True)],
    ids=["person", "attorney", "hand"],
)
def test_kept_content_is_read_back_as_it_was(content: LetterContent) -> None:
    assert from_json(as_json(content)) == content


def test_content_of_a_newer_program_is_refused() -> None:
    newer = json.loads(as_json(samples.letter("es"))) | {"version": 2}
    with pytest.raises(UnknownVersion):
        from_json(json.dumps(newer))
