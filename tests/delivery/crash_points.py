"""The moments at which a worker can die between claiming and recording, found in the code itself, and a program that dies there.

A moment lies between two statements of a function: after the one, before the other. Which functions count is said in WATCHED;
their statements come from their own byte code, so that a line added to them tomorrow is a place to die tomorrow.

As a program it is a worker to be killed again and again: for each line on its input it forks, and the child dispatches until it
kills itself at the moment named, as `kill -9` would: nothing is rolled back, closed, or said.
"""

import ast
import dis
import functools
import gc
import inspect
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from sqlalchemy import QueuePool
from sqlalchemy.exc import SQLAlchemyError

from outreach import jobs, settings
from outreach.delivery import claim, dispatch, limits, projection, record
from outreach.jobs import Machine
from outreach.providers.twilio import TwilioTexts

WATCHED: tuple[Any, ...] = (
    claim, dispatch, record, projection.lock, projection.lock_outcomes, projection.project, limits.Limiter,
    TwilioTexts.send, TwilioTexts._refused, jobs.sending.send_due,
)  # fmt: skip
SUSPENDED = dis.opmap["YIELD_VALUE"]


@dataclass(frozen=True, slots=True, order=True)
class Statement:
    """A statement of a watched function: its module's name, its line, and the line's text."""

    module: str
    line: int
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """After one statement and before another, in one call. `after` None: as the function begins; `before` None: as it ends."""

    after: Statement | None
    before: Statement | None


@functools.cache
def _starts(path: str) -> dict[int, int]:
    """The line on which the innermost statement of each line begins."""
    tree = ast.parse(Path(path).read_text())
    found: dict[int, int] = {}
    for node in ast.walk(tree):  # The outer before the inner, which so has the last word.
        if isinstance(node, ast.stmt):
            start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            found |= dict.fromkeys(range(start, (node.end_lineno or start) + 1), start)
    return found


@functools.cache
def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


@functools.cache
def statement(path: str, head: int, line: int | None) -> Statement | None:
    """The statement that a line of a function belongs to; None for the function's own first line, which is `head`."""
    start = _starts(path).get(line or 0)
    if start is None or start == _starts(path).get(head):
        return None
    return Statement(Path(path).stem, start, _lines(path)[start - 1].strip())


def _codes(code: CodeType) -> Iterator[CodeType]:
    """This code and what is defined within it, but no comprehension: that is a part of its statement."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType) and not inner.co_name.startswith("<"):
            yield from _codes(inner)


def _functions(place: Any) -> Iterator[FunctionType]:
    """The functions of a module and of its classes, or of a class; a function itself."""
    found = inspect.unwrap(place)
    if inspect.isfunction(found):
        made_by_a_library = not Path(found.__code__.co_filename).exists()
        only_writes_sql = found.__annotations__.get("return") is str
        if not made_by_a_library and not only_writes_sql:
            yield found
    elif inspect.isclass(place) or inspect.ismodule(place):
        for member in vars(place).values():
            if getattr(member, "__module__", None) == getattr(place, "__module__", place.__name__):
                yield from _functions(member)


@functools.cache
def watched() -> frozenset[CodeType]:
    return frozenset(code for place in WATCHED for function in _functions(place) for code in _codes(function.__code__))


def statements() -> set[Statement]:
    """All statements of the watched functions."""
    every = {statement(code.co_filename, code.co_firstlineno, line) for code in watched() for _, _, line in code.co_lines() if line}
    return {each for each in every if each}


def watch(see: Callable[[Moment], object]) -> None:
    """From here on, tell `see` of each moment that this process comes to, in any thread."""
    codes = {id(code) for code in watched()}  # To hash one takes longer than to run many a function.
    last: dict[FrameType, Statement | None] = {}

    def local(frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            here = statement(frame.f_code.co_filename, frame.f_code.co_firstlineno, frame.f_lineno)
            if frame in last and here == last[frame]:
                return local  # The next line of one statement, or its next turn.
            see(Moment(last.get(frame), here))
            last[frame] = here
        elif event == "return" and frame.f_code.co_code[frame.f_lasti] != SUSPENDED:
            see(Moment(last.pop(frame, None), None))
        return local

    def every(frame: FrameType, _event: str, _argument: object) -> Any:
        return local if id(frame.f_code) in codes else None

    threading.settrace(every)
    sys.settrace(every)


def name(moment: Moment) -> list[Any]:
    """As JSON: after which line, before which, of which module."""
    some = moment.after or moment.before
    return [moment.after and moment.after.line, moment.before and moment.before.line, some and some.module]


def _look(machine: Machine) -> list[Moment]:
    """One whole life; the moments it came by."""
    seen: dict[Moment, None] = {}
    watch(seen.setdefault)
    try:
        jobs.send_due(machine)
    except SQLAlchemyError:
        pass  # A job that fails ends here too.
    finally:
        threading.settrace(None)
        sys.settrace(None)
    # No connection is left for a child to inherit, but everything that was imported and compiled is.
    machine.sessions.kw["bind"].dispose()
    return list(seen)


def _die(machine: Machine, at: list[Any]) -> int:
    """One life in a process of its own, up to this moment; the signal that ended it."""
    child = os.fork()
    if child == 0:
        watch(lambda moment: os.kill(os.getpid(), signal.SIGKILL) if name(moment) == at else None)
        try:
            jobs.send_due(machine)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What is logged is no answer.
    machine = jobs.machine_for(settings.load(), pool=QueuePool)
    for line in sys.stdin:
        order = json.loads(line)
        other = Machine(replace(machine.settings, **order["settings"]), machine.sessions)
        if order["at"] is None:
            answer: Any = [name(moment) for moment in _look(other)]
            gc.freeze()  # Or each child would write to all that it shares with us.
        else:
            answer = _die(other, order["at"])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
