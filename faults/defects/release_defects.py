"""Defects in how one release treats the records of another release."""

from __future__ import annotations

from typing import Final

from faults.defects.seeding import in_engine

RELEASES: Final = (
    in_engine(
        "unknown-fields-dropped",
        31,
        "an older replica writes an entity, and the newer release's fields are gone",
        "kept_entities",
        "    if stored is not None:",
        "    if False:",
    ),
    in_engine(
        "renamed-field-made-up",
        31,
        "a field that was renamed is shown with its default, so what was done is done again",
        "kept_entities",
        "        if difference.missing:",
        "        if False:",
    ),
    in_engine(
        "new-part-inherits",
        31,
        "a part that is put in front of the others gets what another release keeps of the part behind it",
        "kept_state",
        "        lambda old, new: bool(before[old] == after[new]),",
        "        lambda old, new: old == new,",
    ),
    in_engine(
        "unknown-slot-ignored",
        31,
        "a join that was renamed strands every entity in which it waits",
        "other_releases",
        '        if held.get("fired") or not filled:',
        "        if filled:",
    ),
    in_engine(
        "unknown-deadline-dropped",
        31,
        "a deadline that was renamed is taken as done when it fires",
        "plan",
        "        if delivery.inside or (self.concerns(delivery.type) and delivery.type not in LIBRARY_TYPES):",
        "        if self.concerns(delivery.type) and delivery.type not in LIBRARY_TYPES:",
    ),
    in_engine(
        "unknown-key-is-empty",
        31,
        "a deadline that names its entity by another field reaches the entity without a name",
        "decoding",
        "        if named.key_field not in heard:\n",
        "        if False:\n",
    ),
    in_engine(
        "not-yet-not-noted",
        31,
        "what is quarantined for another release is found by nobody but a person",
        "deciding",
        "        if bad.needs and not (yield from self._note(plan, bad.needs, working)):",
        "        if False and not (yield from self._note(plan, bad.needs, working)):",
    ),
    in_engine(
        "unknown-effect-forgotten",
        31,
        "an intent of another release is kept without its key, so nobody can carry it out",
        "answering",
        "        kept = read_delivery(self.for_later(committed, now).encoded.encode(), committed.traceparent)",
        '        committed = committed._replace(key="lost")\n'
        "        kept = read_delivery(self.for_later(committed, now).encoded.encode(), committed.traceparent)",
    ),
)
