"""Synthetic rosters: people who plainly do not exist, in the proportions of a real exposure.

Demo, tests and benchmarks all use them. A person is a function of the seed and an index (`person`), so a roster of any
length is made in constant memory and the same person can be written again in another incident's roster (`rosters`).
"""
