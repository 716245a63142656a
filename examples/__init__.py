"""Small flows and applications to learn from, each about one thing. The documentation quotes them, and tests run them.

Not here: the reference flow (`apps.checkout`).
"""
