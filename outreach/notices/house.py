"""Who is writing: the only name, phone and site that a text of ours may contain, and what it may cost."""

from dataclasses import dataclass
from decimal import Decimal

from outreach.notices import disclosure, fields, segments
from outreach.notices.disclosure import Finding


@dataclass(frozen=True, slots=True)
class House:
    """`values` fill ((program)), ((phone)) and ((site)), the same for everyone; `segment_price` is in US dollars."""

    values: dict[str, str]
    max_segments: int
    segment_price: Decimal

    def render(self, text: str) -> str:
        """The text as it will be sent. Raises `fields.FieldError`."""
        return fields.render(text, self.values)

    def findings(self, text: str, language: str) -> list[Finding]:
        """What the non-disclosure check finds in a rendered text, which is the same for everyone."""
        return disclosure.check(
            text,
            disclosure.Surface.SMS,
            allowed_hosts=(self.values["site"],),
            allowed_phones=(self.values["phone"],),
            language=language,
        )

    def problems(self, text: str, language: str) -> list[str]:
        """Everything that keeps this text, with its ((fields)), from being approved: sentences for its author."""
        try:
            rendered = self.render(text)
        except fields.FieldError as error:
            return [str(error)]
        sentences = [finding.sentence for finding in self.findings(rendered, language)]
        counted = segments.count(rendered)
        if counted.segments > self.max_segments:
            sentences.append(
                f"The text takes {counted.segments} segments, and {self.max_segments} are allowed. Shorten it by about"
                f" {counted.units - self.max_segments * counted.per_segment} characters."
            )
        if not rendered.strip():
            sentences.append("The text is empty.")
        return sentences
