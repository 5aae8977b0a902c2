"""Faults on demand: rules that spoil an answer, a delivery or a callback, the same way each time for the same seed."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from outreach.sandbox.books import Books
from outreach.sandbox.mail_fates import FATES


class Fault(StrEnum):
    """What can go wrong: first what spoils a create, then what spoils a read, the text's fate, and its callbacks."""

    REFUSE = "refuse"
    RATE_LIMIT = "rate_limit"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    SLOW = "slow"
    TRUNCATED = "truncated"
    CUT_OFF = "cut_off"
    WRONG_TYPE = "wrong_type"
    NO_SID = "no_sid"
    READ_ERROR = "read_error"
    FATE = "fate"
    LATE = "late"
    DOUBLED = "doubled"
    REORDERED = "reordered"
    MISSING = "missing"
    BAD_SIGNATURE = "bad_signature"


MEANINGS = {
    Fault.REFUSE: "Refuse the text with a Twilio error code",
    Fault.RATE_LIMIT: "Answer 429 Too Many Requests (20429), with Retry-After if seconds are given",
    Fault.ERROR_BEFORE: "Answer 5xx and do not accept the text",
    Fault.ERROR_AFTER: "Accept the text, then answer 5xx",
    Fault.DROP_BEFORE: "Drop the connection and do not accept the text",
    Fault.DROP_AFTER: "Accept the text, then drop the connection",
    Fault.SLOW: "Accept the text, answer late",
    Fault.TRUNCATED: "Accept the text, answer with half of the JSON",
    Fault.CUT_OFF: "Accept the text, drop the connection in the middle of the answer",
    Fault.WRONG_TYPE: "Accept the text, answer with an HTML page",
    Fault.NO_SID: "Accept the text, answer without its sid",
    Fault.READ_ERROR: "Answer 5xx when texts are fetched or listed",
    Fault.FATE: "Decide the final status of the text",
    Fault.LATE: "Send callbacks late",
    Fault.DOUBLED: "Send callbacks twice",
    Fault.REORDERED: "Send the final callback before the earlier ones",
    Fault.MISSING: "Leave callbacks out",
    Fault.BAD_SIGNATURE: "Sign callbacks with a wrong token",
}

ON_CREATE = frozenset(list(Fault)[: list(Fault).index(Fault.READ_ERROR)])
BEFORE_ACCEPTING = frozenset({Fault.REFUSE, Fault.RATE_LIMIT, Fault.ERROR_BEFORE, Fault.DROP_BEFORE})
ON_CALLBACKS = frozenset({Fault.LATE, Fault.DOUBLED, Fault.REORDERED, Fault.MISSING, Fault.BAD_SIGNATURE})
FINAL_STATUSES = frozenset({"sent", "delivered", "undelivered", "failed"})
MAIL_FATES = frozenset(FATES)


class RuleError(ValueError):
    """A rule that makes no sense, with a sentence that says what to change."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One fault and when it strikes.

    `to` is a phone, an e-mail address in lower case, or a pattern with `*` and `?`; `*@*` is for mails only. `chance` is drawn
    for each create of a phone; `next` lets the rule strike that many times, then no more. The rest is read by the fault it
    belongs to: `code` and `http_status` by refuse, errors and fate, `retry_after` (seconds) by rate_limit, `ms` by slow, late
    and reordered, `statuses` by the faults of callbacks (none = all), `status` by fate.
    """

    fault: Fault
    to: str = "*"
    chance: float = 1.0
    next: int | None = None
    code: int | None = None
    http_status: int | None = None
    retry_after: int | None = None
    ms: int = 1000
    statuses: tuple[str, ...] = ()
    status: str = "undelivered"
    hits: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.chance <= 1:
            raise RuleError("The chance of a rule is a share between 0 and 1.")
        if self.next is not None and self.next < 1:
            raise RuleError("A rule for the next texts needs a number of 1 or more.")
        for_mail = "@" in self.to
        if self.fault is Fault.REFUSE and not self.code and not for_mail:
            raise RuleError("A rule that refuses needs a Twilio error code, for instance 21211.")
        if self.fault is Fault.FATE and self.status not in FINAL_STATUSES and not (for_mail and self.status in MAIL_FATES):
            raise RuleError(
                "A final status is one of sent, delivered, undelivered, failed; where `to` is a pattern with @, also one of"
                f" {', '.join(sorted(MAIL_FATES))}."
            )
        if self.http_status is not None and not 400 <= self.http_status <= 599:
            raise RuleError("The HTTP status of a fault is between 400 and 599.")
        if self.ms < 0:
            raise RuleError("A delay cannot be negative.")

    def spec(self) -> dict[str, object]:
        """As JSON: what differs from the defaults, and how often the rule struck."""
        every = asdict(self)
        kept = {f.name: every[f.name] for f in fields(self) if f.name == "fault" or every[f.name] != f.default}
        return kept | {"hits": self.hits}


def parse(spec: dict[str, object]) -> Rule:
    """A rule from JSON; raises RuleError."""
    known = {field.name for field in fields(Rule)} - {"hits"}
    unknown = sorted(set(spec) - known - {"id", "hits"})
    if unknown:
        raise RuleError(f"A rule has no field {', '.join(unknown)}. It has: {', '.join(sorted(known))}.")
    values = {name: value for name, value in spec.items() if name in known | {"hits"}}
    try:
        values["fault"] = Fault(str(spec.get("fault")))
        statuses = values.get("statuses", ())
        values["statuses"] = tuple(statuses) if isinstance(statuses, list | tuple) else (str(statuses),)
        return Rule(**values)  # type: ignore[arg-type]  # JSON is untyped; __post_init__ judges what matters.
    except RuleError:
        raise
    except (TypeError, ValueError) as error:
        raise RuleError(f"The rule cannot be read: {error}. Faults are: {', '.join(Fault)}.") from error


def draw(*keys: object) -> float:
    """A number from 0 up to 1 that depends on the keys alone: the order in which requests arrive changes nothing."""
    digest = hashlib.blake2b("\x1f".join(str(key) for key in keys).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


class Rules:
    """The rules in force, kept in the books so that they outlive a restart."""

    def __init__(self, books: Books, seed: int) -> None:
        self._books = books
        self._seed = seed
        self._rules: dict[int, Rule] = {number: parse(json.loads(spec)) for number, spec in books.rules()}

    def all(self) -> dict[int, Rule]:
        return dict(self._rules)

    def add(self, rule: Rule) -> int:
        number = max(self._rules, default=0) + 1
        self._keep(number, rule)
        return number

    def remove(self, number: int | None = None) -> None:
        """One rule, or all."""
        if number is None:
            self._rules.clear()
        else:
            self._rules.pop(number, None)
        self._books.drop_rules(number)

    def striking(self, faults: frozenset[Fault], to: str) -> list[Rule]:
        """The rules among `faults` that strike this phone now, in the order they were made. Counts them as used."""
        if not self._rules:
            return []
        struck = []
        for number, rule in list(self._rules.items()):
            if rule.fault not in faults or not fnmatchcase(to, rule.to) or rule.next == 0:
                continue
            if rule.chance < 1 and draw(self._seed, number, to, self._books.asked(to)) >= rule.chance:
                continue
            struck.append(rule)
            left = None if rule.next is None else rule.next - 1
            if left == 0:
                self.remove(number)
            else:
                self._keep(number, replace(rule, hits=rule.hits + 1, next=left))
            if faults is ON_CREATE:  # One answer can be spoiled in one way only; the next rule waits for its turn.
                break
        return struck

    def _keep(self, number: int, rule: Rule) -> None:
        self._rules[number] = rule
        self._books.keep_rule(number, json.dumps(rule.spec()))
