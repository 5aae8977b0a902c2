"""A text as its reader would get it, with everything that keeps it from being approved, in the panel's language.

`House.problems` decides; this says the same of a text while it is written, and shows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from flask_babel import gettext as _

from outreach import jobs
from outreach.notices import blocks, fields, languages, mail, segments
from outreach.notices.blocks import Block
from outreach.notices.channel import FIELDS, SAMPLES, SUBJECT_FIELDS, Channel
from outreach.notices.disclosure import Finding
from outreach.notices.house import LONGEST_SUBJECT, House
from outreach.notices.letters import samples
from outreach.notices.letters.letter import LetterContent
from outreach.notices.mail import RenderedMail
from outreach.notices.segments import Segments
from outreach.web import words
from outreach.web.panel import panel


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a text from being approved. `found` is the word or mark that was found, and in which `language`."""

    found: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A text with sample values. What it is rendered to is None where its ((fields)) are misspelt, and of other channels.

    `counted`, `foreign` (what forces UCS-2) and `price` are of text messages.
    """

    problems: tuple[Problem, ...]
    rendered: str | None = None
    counted: Segments | None = None
    foreign: tuple[str, ...] = ()
    price: Decimal = Decimal(0)
    mail: RenderedMail | None = None
    letter: tuple[Block, ...] | None = None


def house() -> House:
    return jobs.house(panel().settings)


def check(channel: Channel, subject: str | None, source: str, language: str) -> Checked:
    """What the page shows of a text, and every problem that its approval would meet."""
    try:
        if channel is Channel.SMS:
            found = _check_text(source, language)
        elif channel.is_mail:
            found = _check_mail(channel, subject or "", source, language)
        else:
            found = _check_letter(channel, source, language)
    except fields.FieldError:
        offered = ", ".join(f"(({name}))" for name in sorted(FIELDS[channel]))
        sentence = _("A field in brackets is misspelt or is none of ours. These can be used: %(fields)s.", fields=offered)
        if channel.is_mail:
            of_subject = ", ".join(f"(({name}))" for name in sorted(SUBJECT_FIELDS))
            sentence += " " + _("In the subject: %(fields)s.", fields=of_subject)
        return Checked((Problem(None, sentence),))
    return found


def render_mail(subject: str, source: str, language: str) -> RenderedMail:
    """The mail of a sample reader. Raises `fields.FieldError`."""
    stop_url = f"{panel().settings.public_base_url}/mail/stop/sample"
    return mail.render(subject, source, language, {**SAMPLES, **house().values}, stop_url)


def specimen(channel: Channel, source: str, language: str) -> LetterContent:
    """The letter of a sample reader. Raises `fields.FieldError`."""
    fields.require_known(source, FIELDS[channel])
    return samples.specimen(channel, language, source, house(), panel().settings.sender_lines)


def values_of(channel: Channel) -> list[tuple[str, str]]:
    """The ((fields)) that a text of this channel may use, each with what it would say."""
    known = {**SAMPLES, **house().values}
    return [(name, known[name]) for name in FIELDS[channel]]


def _check_text(source: str, language: str) -> Checked:
    ours = house()
    rendered = ours.render(source)
    counted = segments.count(rendered)
    problems = [_told(finding) for finding in ours.findings(rendered, language)]
    if counted.segments > ours.max_segments:
        over = counted.units - ours.max_segments * counted.per_segment
        problems.append(
            Problem(
                None,
                _(
                    "The text takes %(segments)s segments, and %(most)s are allowed. Shorten it by about %(over)s characters.",
                    segments=counted.segments, most=ours.max_segments, over=over,
                ),
            )
        )  # fmt: skip
    problems += _common(Channel.SMS, rendered, language)
    price = counted.segments * ours.segment_price
    return Checked(tuple(problems), rendered, counted, segments.forcing_ucs2(rendered), price)


def _check_mail(channel: Channel, subject: str, source: str, language: str) -> Checked:
    ours = house()
    fields.require_known(subject, SUBJECT_FIELDS)
    fields.require_known(source, FIELDS[channel])
    line, body = ours.render(subject), ours.render(source, SAMPLES)
    problems = [_told(finding) for finding in ours.mail_findings(line, body, language, (SAMPLES["reference"],))]
    if not line.strip():
        problems.append(Problem(None, _("The subject is empty.")))
    if len(line.splitlines()) > 1:
        problems.append(Problem(None, _("The subject has more than one line. Write it in one.")))
    if len(line) > LONGEST_SUBJECT:
        sentence = _("The subject has %(long)s characters, and %(most)s are allowed.", long=len(line), most=LONGEST_SUBJECT)
        problems.append(Problem(None, sentence))
    problems += _common(channel, body, language)
    return Checked(tuple(problems), mail=render_mail(subject, source, language))


def _check_letter(channel: Channel, source: str, language: str) -> Checked:
    ours = house()
    fields.require_known(source, FIELDS[channel])
    problems = [
        Problem(missing.character, _("No font of ours can print this: %(what)s.", what=missing))
        for missing in ours.missing_glyphs(source, language)
    ]
    body = ours.render(source, SAMPLES)
    problems += _common(channel, body, language)
    return Checked(tuple(problems), letter=blocks.parse(body))


def _told(finding: Finding) -> Problem:
    return Problem(finding.word, str(words.FINDINGS[finding.code]))


def _common(channel: Channel, rendered: str, language: str) -> Iterator[Problem]:
    if not blocks.parse(rendered):
        yield Problem(None, _("The text is empty."))
    if channel.to_attorney and languages.get(language).code != "en":
        yield Problem(None, _("Attorneys are written to in English."))
