"""The model checker: runs the production reactions through every order, every delay and every reply of the outside.

Beside its services, a flow declares how it begins (``@scenario``), how the outside may reply (``@outside``) and its
properties (``@always``, ``@never``, ``@eventually``, ``@sometimes``).

Not here: rules that need no run (`choreography.check`), and faults of real processes (`faults`).
"""

from choreography.explore.properties import ExploreError, Property, always, eventually, never, sometimes
from choreography.explore.rerunning import Replay
from choreography.explore.scenario import Scenario, outside, scenario
from choreography.explore.world import Call, World
from choreography.outside import Reply

__all__ = [
    "Call",
    "ExploreError",
    "Property",
    "Replay",
    "Reply",
    "Scenario",
    "World",
    "always",
    "eventually",
    "never",
    "outside",
    "scenario",
    "sometimes",
]
