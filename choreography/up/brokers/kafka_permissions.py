"""Gives a running Kafka the permissions of its users, because Kafka reads none at its start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import yaml
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from choreography.up.errors import UpError

# The numbers of Kafka's protocol.
_KINDS: Final = {"topic": 2, "group": 3}
_PATTERNS: Final = {"literal": 3}
_OPERATIONS: Final = {"Read": 3, "Write": 4, "Describe": 8}
_ALLOW: Final = 3


async def permit(address: str, permissions: str) -> None:
    """Add the access control lists of all users.

    Raises:
        UpError: Kafka refuses, or does not answer.
    """
    client = AIOKafkaClient(bootstrap_servers=address, client_id="choreography-up")
    try:
        await client.bootstrap()
        node = client.get_random_node()
        answers = await asyncio.gather(*(client.send(node, request) for request in _requests(permissions)))
    except (KafkaError, OSError) as error:
        raise UpError(f"Kafka at {address} was not told what its users may do: {error!r}. See its log.") from error
    finally:
        await client.close()
    for code, message in (result for answer in answers for result in answer.creation_responses):
        if code:
            raise UpError(f"Kafka at {address} refuses permissions: {for_code(code).__name__} {message}. See its log.")


def _requests(permissions: str) -> Iterator[CreateAclsRequest]:
    for user in yaml.safe_load_all(permissions):
        for acl in user["spec"]["authorization"]["acls"]:
            resource = acl["resource"]
            for operation in acl["operations"]:
                yield CreateAclsRequest(
                    _KINDS[resource["type"]],
                    resource["name"],
                    _PATTERNS[resource["patternType"]],
                    f"User:{user['metadata']['name']}",
                    "*",
                    _OPERATIONS[operation],
                    _ALLOW,
                )
