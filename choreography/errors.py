"""Every error of the library says what happened, why it matters and what to do."""

from __future__ import annotations


class ChoreographyError(Exception):
    """The one base class: catch it to catch everything this library raises on purpose.

    >>> try:
    ...     Service("No App Id")
    ... except ChoreographyError as error:
    ...     print(error)
    'No App Id' cannot be a Dapr app id. Use lower-case letters, digits and hyphens.
    """


class DeclarationError(ChoreographyError):
    """A contract or a service contradicts itself. Raised at import, never at the first message."""


class InvalidEventError(ChoreographyError):
    """An event that arrived cannot be trusted or read. Its delivery ends in quarantine with this text."""


class NotYetError(InvalidEventError):
    """An event that this release cannot run and another one can, such as the one that wrote what it meets.

    Attributes:
        needs: what a release must know to run it, such as ``type coins.put.v2``.
    """

    def __init__(self, problem: str, needs: str) -> None:
        super().__init__(f"Not yet: {problem}")
        self.needs = needs


class UnsayableEventError(ChoreographyError):
    """A reaction decided something that can never be committed or published: too large, undeclared, unencodable."""


class SelfCheckError(ChoreographyError):
    """The store, the broker or the sidecar behaves in a way that would lose or double events."""


class OutsideUnavailableError(ChoreographyError):
    """An effect got no answer from the outside; what it asked for may or may not have happened."""


class WrongAddressError(ChoreographyError):
    """An outside answered an effect with a redirect: its address is wrong, and asking again would not help."""


class WeakKeyError(ChoreographyError):
    """The Idempotency-Key of a caller without a name is one that somebody else could send too."""
