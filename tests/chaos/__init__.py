"""`make chaos`: the whole engine under fire, judged by the sandbox's own books.

Faults at the providers, processes killed and frozen, Redis emptied, PostgreSQL crashed, all at once and by chance; then nothing may
be lost, nothing sent twice, and every person has exactly one outcome.
"""
