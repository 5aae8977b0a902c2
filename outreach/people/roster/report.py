"""What a dry run found, or an import did: counts, codes, names of columns and numbers of rows, and nothing about anybody."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from outreach.people.roster.merging import Added
from outreach.people.roster.problems import Fault, Problem

EXAMPLES = 20  # numbers of rows that a report keeps for each kind of problem


@dataclass(frozen=True, slots=True)
class DateQuestion:
    """A column whose dates can be read in two ways. The counts are of rows that fit one order only, or both."""

    index: int
    header: str
    day_first: int
    month_first: int
    either: int
    suggestion: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem or remark: how many rows have it, and the numbers of the first of them."""

    code: str
    column: str
    count: int
    rows: tuple[int, ...]
    details: Mapping[str, str | int]  # of the first of them

    @property
    def problem(self) -> Problem:
        return Problem(Fault(self.code), self.column, self.details)


@dataclass(frozen=True, slots=True)
class Report:
    """What a dry run found, or an import did. Every row is new, updated, unchanged, quarantined or quarantined before.

    While there are `questions`, or groups of fields of which one is `missing`, the other counts are not made yet.
    """

    rows: int = 0
    added: Added = field(default_factory=Added)
    quarantined: int = 0
    quarantined_before: int = 0
    corrected: int = 0  # rows that came back mended, with the number of the row in quarantine they mend
    problems: tuple[Kind, ...] = ()
    remarks: tuple[Kind, ...] = ()
    questions: tuple[DateQuestion, ...] = ()
    missing: tuple[tuple[str, ...], ...] = ()
    perhaps_swapped: tuple[str, ...] = ()  # headers whose true dates were perhaps turned by a spreadsheet program
    file_remarks: tuple[Mapping[str, object], ...] = ()

    @property
    def answered(self) -> bool:
        return not self.questions and not self.missing

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "Report":
        """The reverse of `as_json`."""
        values: dict[str, object] = dict(stored)
        values["added"] = Added(**values.get("added") or {})  # type: ignore[arg-type]  # written by as_json
        for name, kind in (("problems", Kind), ("remarks", Kind), ("questions", DateQuestion)):
            listed = values.get(name) or []
            assert isinstance(listed, list)
            values[name] = tuple(kind(**one) for one in listed)
        for name in ("missing", "perhaps_swapped", "file_remarks"):
            listed = values.get(name) or []
            assert isinstance(listed, list)
            values[name] = tuple(listed)
        return cls(**values)  # type: ignore[arg-type]  # likewise


class Kinds:
    """Counts problems by kind and column, and keeps the numbers of the first rows of each."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._details: dict[tuple[str, str], Mapping[str, str | int]] = {}

    def add(self, number: int, problem: Problem) -> None:
        kind = (problem.code.value, problem.column)
        self._counts[kind] += 1
        self._details.setdefault(kind, dict(problem.details))
        if self._counts[kind] <= EXAMPLES:
            self._rows[kind].append(number)

    def listed(self) -> tuple[Kind, ...]:
        return tuple(Kind(*kind, count, tuple(self._rows[kind]), self._details[kind]) for kind, count in self._counts.most_common())
