"""Measures the checkout flow of this project beside what a user would pick instead, in one run on one machine.

Read :mod:`bench.systems` for what is compared, :mod:`bench.measuring` for how, and `docs/bench.md` for what it means.

Not here: proof that nothing is lost (`faults`, and the tests).
"""
