"""Redis: a user for each service, with a selector for the streams that it adds to and another for those it reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from choreography.render.access.grants import Grant

_PUBLISH: Final = ("+xadd",)
_CONSUME: Final = ("+xgroup|create", "+xreadgroup", "+xpending", "+xclaim", "+xack")
_CONNECT: Final = ("+ping", "+info")

_HEAD: Final = """\
# Include this in redis.conf (Redis 7), and give each user a password: append `#` and the SHA-256 of it to its line, or
# run `ACL SETUSER <user> '><password>'`. Without one nobody can log in as that user. The sidecar of a service takes its
# user and password from REDIS_USERNAME and REDIS_PASSWORD. Switch the user `default` off.
# Redis knows permissions by stream, and not by consumer group: whoever may read a stream can also take or acknowledge
# what another service has yet to read from it. Nobody but its owner can add to one.
"""


def permissions(grants: Sequence[Grant]) -> str:
    """Return lines of redis.conf."""
    return _HEAD + "".join(
        " ".join(
            [
                *("user", grant.user, "reset", "on", *_CONNECT),
                *(_selector(_PUBLISH, grant.publishes), _selector(_CONSUME, grant.hears)),
            ]
        )
        + "\n"
        for grant in grants
    )


def _selector(commands: Iterable[str], topics: Iterable[str]) -> str:
    return f"({' '.join([*commands, *(f'~{topic}' for topic in topics)])})"
