"""The moments at which a worker can die between claiming and recording, found in the code itself, and a program that dies there.

A moment lies between two statements of a function: after the one, before the other. Which functions count is said in WATCHED;
their statements come from their own byte code, so that a line added to them tomorrow is a place to die tomorrow.

As a program it is a worker to be killed again and again: for each line on its input it forks, and the child sends texts, or sets
and hands over letters, until it kills itself at the moment named, as `kill -9` would: nothing is rolled back, closed, or said.

python -m tests.delivery.crash_points texts|letters
"""

import ast
import dis
import functools
import gc
import inspect
import json
import os
import signal
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing import Process
from multiprocessing.connection import Client, Listener
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import typst
from sqlalchemy import QueuePool
from sqlalchemy.exc import SQLAlchemyError

from outreach import jobs, settings
from outreach.delivery import claim, dispatch, limits, paper, print_room, projection, record
from outreach.jobs import Machine, sending
from outreach.notices.letters import qr, taglines, vendors
from outreach.notices.letters.typesetting import Typesetter
from outreach.providers.postgrid import PostGridLetters
from outreach.providers.twilio import TwilioTexts

LIVES: Mapping[str, Callable[[Machine], object]] = {"texts": jobs.send_due, "letters": jobs.letters_due}
"""What a worker does until it dies."""
# Letters are claimed and recorded by what texts are. What is not here of either's way only reads, or composes and sets in memory.
WATCHED: Mapping[str, tuple[Any, ...]] = {
    "texts": (
        claim, dispatch, record, projection.lock, projection.lock_outcomes, projection.project, limits.Limiter,
        TwilioTexts.send, TwilioTexts._refused, sending.send_due,
    ),
    "letters": (
        sending.letters_due, sending._waiting, sending._to_print_room, sending._make_run, sending._set_each, sending._set_letter,
        sending._to_mail_house, sending._post_all, sending._sent, paper.claim_letters, paper.letters,
        print_room.reserve_number, print_room.add_run, PostGridLetters.__aenter__, PostGridLetters.__aexit__, PostGridLetters.send,
        PostGridLetters._request, PostGridLetters._refused,
    ),
}  # fmt: skip
UNSETTABLE = "UNSETTABLE"
"""A letter with this word in it cannot be set by a worker here."""
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
def watched(life: str) -> frozenset[CodeType]:
    return frozenset(code for place in WATCHED[life] for function in _functions(place) for code in _codes(function.__code__))


def statements(life: str) -> set[Statement]:
    """All statements of the watched functions."""
    codes = watched(life)
    every = {statement(code.co_filename, code.co_firstlineno, line) for code in codes for _, _, line in code.co_lines() if line}
    return {each for each in every if each}


def watch(life: str, see: Callable[[Moment], object]) -> None:
    """From here on, tell `see` of each moment that this process comes to, in any thread."""
    codes = {id(code) for code in watched(life)}  # To hash one takes longer than to run many a function.
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


def shorten_letters() -> None:
    """From here on, letters in this process lack the page in twenty scripts at their end, and have one square drawn for all.

    These take longer than all else of a letter.
    """
    words, square = taglines.all_words()[:1], qr.draw("SAMPLE")
    taglines.all_words = lambda: words  # type: ignore[assignment]  # a function with a cache
    qr.draw = lambda text: square  # noqa: ARG005  # called by that name


class FarCompiler:
    """Stands in for typst's own, which must never compile in a process that forks: another process compiles for it."""

    listener: Listener

    def __init__(self, **_options: Any) -> None:
        """That process has its own options."""

    def compile(self, **order: Any) -> Any:
        if not order["input"]:
            return b""  # Nothing but a way to make typst forget, and it would have to begin anew for each worker.
        if UNSETTABLE in order["sys_inputs"]["data"]:
            raise RuntimeError(UNSETTABLE)
        with Client(self.listener.address) as line:
            line.send(order)
            return line.recv()


def _compile_for_others(listener: Listener, typesetter: Typesetter) -> None:
    while True:
        with listener.accept() as line:
            line.send(typesetter._compiler.compile(**line.recv()))


def _prepare_for_letters(machine: Machine) -> None:
    """What lets hundreds of workers set and hand over letters, each of which lives for some milliseconds."""
    shorten_letters()
    sending.awake = lambda m: True  # type: ignore[attr-defined]  # noqa: ARG005  # It asks much, and writes nothing.
    ssl.create_default_context = functools.cache(ssl.create_default_context)  # type: ignore[assignment]
    FarCompiler.listener = Listener()
    typesetter = Typesetter(vendors.load(machine.settings.print_vendor))
    Process(target=_compile_for_others, args=(FarCompiler.listener, typesetter), daemon=True).start()
    typst.Compiler = FarCompiler  # type: ignore[misc, assignment]


def _look(life: str, machine: Machine) -> list[Moment]:
    """One whole life; the moments it came by."""
    seen: dict[Moment, None] = {}
    watch(life, seen.setdefault)
    try:
        LIVES[life](machine)
    except SQLAlchemyError:
        pass  # A job that fails ends here too.
    finally:
        threading.settrace(None)
        sys.settrace(None)
    # No connection is left for a child to inherit, but everything that was imported and compiled is.
    machine.sessions.kw["bind"].dispose()
    return list(seen)


def _die(life: str, machine: Machine, at: list[Any]) -> int:
    """One life in a process of its own, up to this moment; the signal that ended it."""
    child = os.fork()
    if child == 0:
        gc.disable()  # It does not live long, and to collect is to copy what it shares with us.
        watch(life, lambda moment: os.kill(os.getpid(), signal.SIGKILL) if name(moment) == at else None)
        try:
            LIVES[life](machine)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status)


def main() -> None:
    life = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What is logged is no answer.
    machine = jobs.machine_for(settings.load(), pool=QueuePool)
    if life == "letters":
        _prepare_for_letters(machine)
    for line in sys.stdin:
        order = json.loads(line)
        other = Machine(replace(machine.settings, **order["settings"]), machine.sessions)
        if order["at"] is None:
            answer: Any = [name(moment) for moment in _look(life, other)]
            gc.freeze()  # Or each child would write to all that it shares with us.
        else:
            answer = _die(life, other, order["at"])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
