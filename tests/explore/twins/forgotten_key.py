"""A charge that ignores its key: asked again because an answer was lost, the provider charges again."""

from dataclasses import replace

from apps.checkout.properties import provider
from choreography.explore.model import Model

model = Model.of("apps.checkout").but(outside=replace(provider, forgets_keys=True))
