"""One worker that sets letters, as a process of its own, until none is due. Prints one JSON object."""

import json
import os
from dataclasses import asdict

from benchmarks.figure import Spent
from outreach import jobs

machine = jobs.machine()
os.nice(machine.settings.letter_niceness)  # as the job does
start, made, more = Spent.now(), 0, True
while more:
    worked = jobs.letters_due(machine)
    made, more = made + worked.sent, worked.more
print(json.dumps({"letters": made} | asdict(Spent.now().since(start))))
