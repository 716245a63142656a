"""Compares the checkout flow of this project with the alternatives of a user, in one run on one machine.

Read :mod:`bench.systems` for the compared systems, :mod:`bench.measuring` for the method, and `docs/bench.md` for the
meaning of the figures.

Not here: proof that nothing is lost (`faults`, and the tests).
"""
