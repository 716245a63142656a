"""The sans-I/O engine: every rule of the guarantee, as generators that yield operations and are sent answers.

Not here: I/O of any kind, clocks and waiting. `choreography.runtime` performs the operations, and so do the model
checker and tests. Read the files in this order:

1. ``settling.py``: one batch in one transaction, tried again until the store says what it holds.
2. ``plan.py``: before anything is read, which keys an event names and whether it may run. ``decoding.py`` reads what it
   says, once.
3. ``deciding.py``: what one attempt makes of each event: a repeat, a conflict, a quarantine, or its reactions.
4. ``retrying.py``: how often the reactions to one event are tried before the event is quarantined.
5. ``reacting.py``: one event meets its reactions, on the records that it names.
6. ``releasing.py``: after the commit, what is published, scheduled and asked of the outside.
"""
