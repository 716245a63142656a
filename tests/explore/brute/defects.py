"""Each reduction of the explorer, broken on purpose: the comparison must notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from choreography.explore.arranging import Arranging, State
from choreography.explore.facts import OnItsWay
from choreography.explore.faults import NO_FAULTS, Faults
from choreography.explore.judging import Judge
from choreography.explore.looking import ALL, JUDGED, Look, StateLooker, Value
from choreography.explore.model import Model
from choreography.explore.outcomes import StepOutcome
from choreography.explore.search import Search
from choreography.explore.space import Space, Step
from choreography.explore.world import Part
from tests.explore import bench_flow

Breaking = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Defect:
    """One reduction that leaves out too much.

    Attributes:
        way: the way of exploring in which it matters.
        shown_by: the seed of a drawn flow that shows it, or a flow that was written for it.
        breaks: puts the defect in.
        faults: what may go wrong in the runs that show it.
    """

    name: str
    way: str
    shown_by: int | Model
    breaks: Breaking
    faults: Faults = NO_FAULTS


def _first_arrangement_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Arranging, "orders", property(lambda self: (tuple(range(len(self.classes))),)))


def _unlike_flows_exchanged(patch: pytest.MonkeyPatch) -> None:
    right = Arranging.__init__
    patch.setattr(Arranging, "__init__", lambda self, classes: right(self, (0,) * len(classes)))


def _first_flow_only(patch: pytest.MonkeyPatch) -> None:
    right = Judge.one
    patch.setattr(Judge, "one", lambda self, own, shared, flows: right(self, own, shared, [min(flows)]))


def _one_flow_instead_of_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Arranging, "repeats", lambda _self, _state, number: number > 0)


def _every_step_is_harmless(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Search, "_harmless", lambda _self, _step, _shared: True)


def _no_property_sees_two_flows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Judge, "looks_at", lambda _self, _sorts: False)


def _what_is_shared_is_not_looked_at_again(patch: pytest.MonkeyPatch) -> None:
    right = Search._expanded

    def expanded(self: Any, own: int, shared: int, first: int, table: dict[tuple[int, int], Any]) -> Any:
        known = next((local for (one, _), local in table.items() if one == own), None)
        return known or right(self, own, shared, first, table)

    patch.setattr(Search, "_expanded", expanded)


def _decisions_forget_what_is_kept(patch: pytest.MonkeyPatch) -> None:
    right = Space._move

    def move(self: Any, pending: Any, home: int) -> Any:
        made = right(self, pending, home)
        made.own = made.shared = 0
        return made

    patch.setattr(Space, "_move", move)


def _alike_facts_are_merged(patch: pytest.MonkeyPatch) -> None:
    def after(self: StepOutcome, own: int, shared: int, *_: Any) -> tuple[int, int]:
        own, shared = own & self.keep_own | self.kept_own, shared & self.keep_shared | self.kept_shared
        return own | self.fresh_own, shared | self.fresh_shared

    patch.setattr(StepOutcome, "after", after)


def _losses_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    right = Space._move

    def move(self: Any, pending: Any, home: int) -> Any:
        made = right(self, pending, home)
        made.shared &= ~self._last_loss(pending) if isinstance(pending, OnItsWay) else -1
        return made

    patch.setattr(Space, "_move", move)


def _verdicts_forget_what_is_shared(patch: pytest.MonkeyPatch) -> None:
    right = Look.value
    patch.setattr(Look, "value", lambda self, state, place: right(self, (0, *state[1:]), place))


def _verdicts_forget_all_flows_but_the_first(patch: pytest.MonkeyPatch) -> None:
    right = Look.value

    def value(self: Look, state: State, place: int) -> Value:
        return right(self, (*state[:2], *[0] * len(state[2:])), 0) if self.at == ALL else right(self, state, place)

    patch.setattr(Look, "value", value)


def _other_flows_are_taken_for_the_judged_one(patch: pytest.MonkeyPatch) -> None:
    right = StateLooker.read

    def read(self: Any, part: Part) -> tuple[str, ...]:
        if self._alone and self._look(part).at != JUDGED:
            self._alone, self._state = False, (self._state[0], *self._state[1:] * len(self._space.flows))
        return right(self, part)

    patch.setattr(StateLooker, "read", read)


def _ends_are_judged_in_one_arrangement(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Judge, "_arrangements", lambda _self, _verdict, state: (state,))


def _decisions_of_one_flow_stand_for_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Space, "_alike", lambda self, *step: tuple(self._outcomes(*step)))


def _what_a_step_looks_at_does_not_matter(patch: pytest.MonkeyPatch) -> None:
    right = Search._harmless

    def harmless(self: Any, step: Step, shared: int) -> bool:
        return bool(right(self, replace(step, move=replace(step.move, shared=0)), shared))

    patch.setattr(Search, "_harmless", harmless)


DEFECTS = (
    Defect("a property is judged in one arrangement of the flows only", "flows exchanged", 12, _first_arrangement_only),
    Defect("flows that begin unlike are exchanged", "flows exchanged", 77, _unlike_flows_exchanged),
    Defect("a property is judged for the first of the flows only", "flows exchanged", 21, _first_flow_only),
    Defect("only the first flow goes on", "flows exchanged", 12, _one_flow_instead_of_all),
    Defect("every step counts as harmless", "steps left out", 35, _every_step_is_harmless),
    Defect("a step counts as harmless though a property sees it", "steps left out", 35, _no_property_sees_two_flows),
    Defect(
        "steps are remembered without what flows share", "flows exchanged", 12, _what_is_shared_is_not_looked_at_again
    ),
    Defect("decisions are remembered without what is kept", "whole", 56, _decisions_forget_what_is_kept),
    Defect("facts that say the same are one fact", "whole", 133, _alike_facts_are_merged),
    Defect("steps are remembered without how much was lost", "whole", 12, _losses_are_not_counted, Faults(lose=1)),
    Defect("verdicts are remembered without what flows share", "flows exchanged", 21, _verdicts_forget_what_is_shared),
    Defect(
        "verdicts are remembered without the second flow",
        "flows exchanged",
        5,
        _verdicts_forget_all_flows_but_the_first,
    ),
    Defect(
        "a property of one flow sees others in its own state",
        "flows exchanged",
        35,
        _other_flows_are_taken_for_the_judged_one,
    ),
    Defect(
        "a property that names a flow is judged in one arrangement",
        "flows exchanged",
        12,
        _ends_are_judged_in_one_arrangement,
    ),
    Defect(
        "what one flow decides stands for all",
        "flows exchanged",
        bench_flow.greeted_by_id,
        _decisions_of_one_flow_stand_for_all,
    ),
    Defect(
        "a step counts as harmless though it depends on what flows share",
        "steps left out",
        bench_flow.one_after_the_other,
        _what_a_step_looks_at_does_not_matter,
    ),
)
