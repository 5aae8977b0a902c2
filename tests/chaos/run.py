"""One run: people on file, processes started, campaigns launched, until everything is quiet and can be judged."""

import gc
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from outreach.cli import ticker
from outreach.cli.web import GUNICORN
from tests.chaos import people
from tests.chaos.ground import FAULTS, Ground
from tests.chaos.herd import Herd
from tests.chaos.judge import Verdict, judge

T = TypeVar("T")


class NotQuiet(Exception):
    """Something was still on its way when the patience was over."""


@dataclass
class Run:
    """The parts of a run, in the order they are called. `patience` is seconds until everything must be quiet."""

    ground: Ground
    patience: float

    def __post_init__(self) -> None:
        self.herd = Herd(self.ground.folder, self.ground.environment)
        self.began = time.monotonic()

    def prepare(self, count: int, waves: int, faults: Mapping[str, Mapping[str, object]] = FAULTS) -> None:
        """Put people on file, approve what is said to them, and have the providers go wrong."""
        self.cast = people.fill(self.ground.machine.sessions, count, waves)
        self.notice_id = people.approve(self.ground.machine.sessions)
        for fault, options in faults.items():
            self.ground.control.fault(fault, **options)
        self.note(f"{count:,} people on file")
        gc.freeze()  # What is here already is not copied into every process that is forked from this one.

    def serve(self) -> None:
        """Start the web and the ticker."""
        self.herd.start("web", _web)
        self.herd.start("ticker", lambda: ticker.command.main([], standalone_mode=False))

    def launch(self, incident_id: UUID) -> bool:
        """Launch the campaign of one wave; False when the database is away."""
        try:
            with self.ground.machine.sessions.begin() as session:
                people.launch(session, incident_id, self.notice_id)
        except DBAPIError:
            return False
        return True

    def until_quiet(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until nothing is on its way any more, calling `meanwhile` again and again. Raises NotQuiet."""
        end, noted = time.monotonic() + self.patience, 0.0
        while True:
            meanwhile()
            self.herd.tend()
            if self.asked(is_quiet) and not owed(self.ground):
                return
            if time.monotonic() - noted > 5:
                noted = time.monotonic()
                self.note(self.asked(states))
            if time.monotonic() > end:
                raise NotQuiet(f"After {self.patience:g} s there is still something on its way:\n{self.asked(stuck)}")
            time.sleep(0.5)

    def judged(self) -> Verdict:
        """The verdict, once nothing runs any more."""
        with self.ground.machine.sessions() as session:
            return judge(session, self.ground.control, self.cast)

    def asked(self, question: Callable[[Session], T]) -> T:
        """The database's answer, also where it is just coming back."""
        while True:
            try:
                with self.ground.machine.sessions() as session:
                    return question(session)
            except DBAPIError:
                time.sleep(0.2)

    def note(self, line: str) -> None:
        say(f"{time.monotonic() - self.began:6.1f} s  {line}")


def say(line: str) -> None:
    """On the screen; stdout is for the one JSON object."""
    print(line, file=sys.stderr, flush=True)


def owed(ground: Ground) -> int:
    """Callbacks that the sandbox has still to bring."""
    summary = ground.control.summary()
    return int(summary["pending"]) + int(summary["mail"]["pending"])


def _web() -> None:
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", "-c", str(GUNICORN), "outreach.web.wsgi:app"]
    run()


def is_quiet(session: Session) -> bool:
    """Nothing waits, nothing is undecided, and what became of everything is known."""
    return not session.scalar(
        text("""
            select exists (select 1 from step where planned_at is null)
                or exists (select 1 from message where state in ('ready', 'submitting', 'unknown') or due_at is not null
                    and state = 'undelivered')
                or exists (select 1 from attempt where state in ('open', 'unknown', 'accepted', 'sent'))
                or exists (select 1 from event where applied_at is null)
        """)
    )


def states(session: Session) -> str:
    rows = session.execute(text("select channel, state, count(*) as n from message group by 1, 2 order by 1, 2"))
    return ", ".join(f"{row.channel} {row.state} {row.n}" for row in rows)


def stuck(session: Session) -> str:
    """What is still on its way, attempt by attempt."""
    rows = session.execute(
        text("""
            select m.channel, m.state, m.reason, m.due_at - now() as due, a.number, a.state as attempt, a.error_code, a.checks,
                now() - a.started_at as started, a.finished_at - a.started_at as took
            from message m left join attempt a on a.message_id = m.id
            where m.state in ('ready', 'submitting', 'unknown') or m.state = 'undelivered' and m.due_at is not null
                or exists (select 1 from attempt o where o.message_id = m.id and o.state in ('open', 'unknown', 'accepted', 'sent'))
            order by m.channel, m.id, a.number limit 60
        """)
    )
    return "\n".join(" ".join(f"{name}={value}" for name, value in row._mapping.items()) for row in rows)
