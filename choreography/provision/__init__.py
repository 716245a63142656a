"""Makes what a broker needs before the first sidecar starts: topics with partitions, streams, queues. Idempotent.

Not here: starting a broker (`choreography.up.brokers`), and the settings of a sidecar's component (`components`).
"""

from __future__ import annotations

from choreography.provision.layout import BrokerLayout, ProvisionError, layout_of
from choreography.provision.provisioning import provision

__all__ = ["BrokerLayout", "ProvisionError", "layout_of", "provision"]
