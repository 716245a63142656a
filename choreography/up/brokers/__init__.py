"""The brokers that a flow can be started on: their programs, their safe start, and the variables for sidecars.

Not here: creating topics (`choreography.provision`), and the settings of their components (`components`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from choreography.progress import Progress
from choreography.up.brokers.aws import find_aws
from choreography.up.brokers.broker import BrokerPlace, BrokerServer, Guarded, Managed, Pluggable
from choreography.up.brokers.eventbridge import find_eventbridge
from choreography.up.brokers.kafka import find_kafka
from choreography.up.brokers.nats import find_nats
from choreography.up.brokers.nats_pull import find_nats_pull
from choreography.up.brokers.rabbitmq import find_rabbitmq
from choreography.up.brokers.redis import find_redis

BROKERS: Final[Mapping[str, Callable[[Progress], BrokerServer]]] = {
    "redis": find_redis,
    "kafka": find_kafka,
    "rabbitmq": find_rabbitmq,
    "nats": find_nats,
    "nats-pull": find_nats_pull,
    "aws": find_aws,
    "eventbridge": find_eventbridge,
}
"""How the server of each broker is found or obtained, by the name of its file in components/brokers."""

__all__ = ["BROKERS", "BrokerPlace", "BrokerServer", "Guarded", "Managed", "Pluggable"]
