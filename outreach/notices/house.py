"""Who is writing: the only name, phone and site that a text of ours may contain, and what it may cost."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from outreach.notices import blocks, disclosure, fields, languages, segments
from outreach.notices.channel import FIELDS, SAMPLES, SUBJECT_FIELDS, Channel
from outreach.notices.disclosure import Finding, Surface
from outreach.notices.letters import glyphs
from outreach.notices.letters.glyphs import Missing

LONGEST_SUBJECT = 78  # characters, by which it stands in one line of a list of mails (and of a header: RFC 5322 §2.1.1)


@dataclass(frozen=True, slots=True)
class House:
    """`values` fill ((program)), ((phone)) and ((site)), the same for everyone; `segment_price` is in US dollars."""

    values: dict[str, str]
    max_segments: int
    segment_price: Decimal

    def render(self, text: str, own: Mapping[str, str] | None = None) -> str:
        """The text as it will be sent; `own` are the values of its one reader. Raises `fields.FieldError`."""
        return fields.render(text, {**(own or {}), **self.values})

    def findings(
        self, text: str, language: str, surface: Surface = Surface.SMS, allowed_values: Collection[str] = ()
    ) -> list[Finding]:
        """What the non-disclosure check finds in a rendered text. `allowed_values` are as in `disclosure.check`."""
        return disclosure.check(
            text,
            surface,
            allowed_hosts=(self.values["site"],),
            allowed_phones=(self.values["phone"],),
            language=language,
            allowed_values=allowed_values,
        )

    def mail_findings(self, subject: str, text: str, language: str, allowed_values: Collection[str] = ()) -> list[Finding]:
        """What the non-disclosure check finds in a rendered e-mail: in its sender's name, its subject and its text."""
        found = self.findings(self.values["program"], language, Surface.EMAIL_SUBJECT)
        found += self.findings(subject, language, Surface.EMAIL_SUBJECT)
        found += self.findings(text, language, Surface.EMAIL_BODY, allowed_values)
        return list(dict.fromkeys(found))

    def missing_glyphs(self, text: str, language: str) -> list[Missing]:
        """The characters of a letter's text, with its ((fields)), that no font of ours can print. Raises `fields.FieldError`."""
        families = glyphs.faces(languages.get(language))
        return [
            Missing(character, f"part {number}")
            for number, block in enumerate(blocks.parse(self.render(text, SAMPLES)), 1)
            for line in block.lines
            for character in glyphs.missing(line, families)
        ]

    def problems(self, channel: str, subject: str | None, text: str, language: str) -> list[str]:
        """Everything that keeps this text, with its ((fields)), from being approved: sentences for its author."""
        chosen = Channel(channel)
        try:
            if chosen is Channel.SMS:
                sentences = self._text_problems(text, language)
            elif chosen.is_mail:
                sentences = self._mail_problems(chosen, subject or "", text, language)
            else:
                # Only who opens the letter reads its inside, so that may say what it is about.
                fields.require_known(text, FIELDS[chosen])
                sentences = [f"No font of ours can print {missing}." for missing in self.missing_glyphs(text, language)]
        except fields.FieldError as error:
            return [str(error)]
        if not blocks.parse(text):
            sentences.append("The text is empty.")
        if chosen.to_attorney and language != "en":
            sentences.append("Attorneys are written to in English.")
        return sentences

    def _text_problems(self, text: str, language: str) -> list[str]:
        rendered = self.render(text)
        sentences = [finding.sentence for finding in self.findings(rendered, language)]
        counted = segments.count(rendered)
        if counted.segments > self.max_segments:
            sentences.append(
                f"The text takes {counted.segments} segments, and {self.max_segments} are allowed. Shorten it by about"
                f" {counted.units - self.max_segments * counted.per_segment} characters."
            )
        return sentences

    def _mail_problems(self, channel: Channel, subject: str, text: str, language: str) -> list[str]:
        fields.require_known(subject, SUBJECT_FIELDS)
        fields.require_known(text, FIELDS[channel])
        line, body = self.render(subject), self.render(text, SAMPLES)
        sentences = [finding.sentence for finding in self.mail_findings(line, body, language, (SAMPLES["reference"],))]
        if not line.strip():
            sentences.append("The subject is empty.")
        if len(line.splitlines()) > 1:
            sentences.append("The subject has more than one line. Write it in one.")
        if len(line) > LONGEST_SUBJECT:
            sentences.append(
                f"The subject has {len(line)} characters, and {LONGEST_SUBJECT} are allowed. Shorten it by"
                f" {len(line) - LONGEST_SUBJECT}."
            )
        return sentences
