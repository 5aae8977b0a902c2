"""What the system does in a second, beside the least that the same work could cost on the same machine: `make bench`.

docs/benchmarks.md says what each figure means. Each module here measures one figure; floor and system take turns in one run.
"""
