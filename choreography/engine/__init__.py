"""The sans-I/O engine: every rule of the guarantee, as generators that yield operations and are sent answers.

Not here: I/O of any kind, clocks and waiting. `choreography.runtime` performs the operations, and so do the model
checker and tests. Read the files in this order:

1. ``settling.py``: one batch in one transaction, repeated until the store gives a definite answer.
2. ``plan.py``: determines, before anything is read, which keys an event names and whether it may run. ``decoding.py``
   decodes its data, once.
3. ``deciding.py``: one attempt classifies each event as a repeat, a conflict, a quarantine, or an event whose reactions
   run.
4. ``retrying.py``: how often the reactions to one event are tried before the event is quarantined.
5. ``reacting.py``: runs the reactions to one event on the records that the event names.
6. ``releasing.py``: after the commit, publishes events, schedules deadlines and carries out intents.
"""
