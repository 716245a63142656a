"""Defects that are seeded on purpose, one per rule that a run can break, to see whether a test catches each.

``python -m faults.defects`` switches them on one after another and prints what caught each of them.

Not here: the tests that have to notice them (`tests/unit`).
"""
