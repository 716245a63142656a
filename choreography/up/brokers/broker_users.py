"""A user of the broker for each service, with the permissions that `choreography render` wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Logins:
    """The users of one run.

    Attributes:
        permissions: the permissions of each user, as they were rendered for this broker.
        users: the name of each app's user.
        passwords: by user. They are made anew for every run: a password that is never stored cannot be found.
        settings: the login settings of components, as items of their metadata.
    """

    permissions: str
    users: Mapping[str, str]
    passwords: Mapping[str, str] = field(repr=False)
    settings: Sequence[Mapping[str, Any]] = ()

    def of(self, app: str) -> tuple[str, str]:
        """Return the user of an app and its password; both are empty for an app that the flow does not know."""
        user = self.users.get(app, "")
        return user, self.passwords.get(user, "")

    def digest(self, user: str) -> str:
        """Return the SHA-256 of a user's password, in hexadecimal digits."""
        return hashlib.sha256(self.passwords[user].encode()).hexdigest()
