"""The words of the pages of tasks."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from outreach.delivery.exhausted import Resolution
from outreach.delivery.task import TaskKind
from outreach.web.staff import undecided_words

KINDS: dict[str, LazyString] = {
    TaskKind.EXHAUSTED: _l("No step has reached somebody"),
    TaskKind.UNDECIDED: _l("Was it handed over?"),
}

RESOLUTIONS: dict[str, LazyString] = {
    Resolution.SETTLED: _l("Settled by itself: they were reached or told after all, or there is a new message"),
    Resolution.TOLD_OTHERWISE: _l("They were told in person or by phone"),
    Resolution.ANOTHER_WAY: _l("Another way to reach them is on file now"),
    Resolution.UNREACHABLE: _l("They cannot be reached"),
    Resolution.OTHER: _l("Something else"),
}

MEANINGS: dict[str, LazyString] = {
    Resolution.TOLD_OTHERWISE: _l(
        "This is no proof: they stay “not reached” until they answer, or until a letter is handed to them against a receipt."
    ),
    Resolution.ANOTHER_WAY: _l("Nothing is sent by this alone: send again by adding a step to the campaign."),
    Resolution.UNREACHABLE: _l("They stay on the campaign's list of people who were not reached."),
    Resolution.OTHER: _l("Say what in the note."),
}
"""What closing a task so does, and does not do."""


def resolution(kind: str, code: str) -> LazyString | str:
    """How a task of this kind was closed."""
    table = undecided_words.RESOLUTIONS if kind == TaskKind.UNDECIDED else RESOLUTIONS
    return table.get(code, code)
