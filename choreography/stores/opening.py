"""Opening the store that the settings name."""

from __future__ import annotations

from choreography.settings import Settings
from choreography.sidecar.client import Sidecar
from choreography.stores.port import Store
from choreography.stores.through_sidecar import SidecarStore


def open_store(settings: Settings, sidecar: Sidecar) -> Store:
    """Return the store of a service: the sidecar's state store, unless a database is named."""
    return SidecarStore(sidecar, settings.store)
