"""The way of a delivery: from the route that the sidecar posts to, to the broker that gets what follows from it.

Not here: HTTP for people (`choreography.web`), and rules about events (`choreography.engine`). Read the files in this
order; each of them uses only what comes after it:

1. ``deliveries.py``: the route. It reads a request with ``bodies/``, and answers SUCCESS or RETRY for each event in it.
2. ``intake.py``: sends each delivery to the handler of its topic, isolates failures, and counts the fate of each
   delivery.
3. ``pipeline.py``: lets the engine settle deliveries, then releases their outcomes; only then may they be acknowledged.
4. ``group_commit.py``: settles all deliveries that wait at the same moment in one transaction. The engine decides the
   outcomes and the retries of reactions and transactions: ``engine/settling.py``, ``engine/retrying.py``.
5. ``driver.py``: performs each operation that the engine asks for: reads, commits, publishes, schedules.
6. ``publishing.py``: publishes all waiting events of a topic in one call, made by ``sidecar/client.py``. Here the way
   ends.

A committed intent leaves the way at the driver and waits in ``intents.py``. ``effects.py`` takes it from there and asks
the outside by ``calling.py``; the answer is a delivery like any other, and begins at the pipeline.

All of them are made by ``composition.py``, begun and ended by ``lifetime.py``, which first asks ``self_check.py`` and
``clocks.py`` whether the service may run. Beside the way, ``polling_publisher.py`` publishes events that an application
has committed, ``replaying.py`` replays events that another release has quarantined, ``old_events.py`` logs how many
events were too old, and ``time_limit.py`` ends the run of a suspect event.
"""
