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
    """A contract or a service contradicts itself. Raised at import, never when the first event is delivered."""


class InvalidEventError(ChoreographyError):
    """An event that arrived cannot be trusted or read. Its delivery ends in quarantine with this text."""


class NotYetError(InvalidEventError):
    """This release cannot run an event, but another release can, such as the one that wrote the stored state.

    Attributes:
        needs: the knowledge that a release needs to run it, such as ``type coins.put.v2``.
    """

    def __init__(self, problem: str, needs: str) -> None:
        super().__init__(f"Not yet: {problem}")
        self.needs = needs


class UnsayableEventError(ChoreographyError):
    """A reaction decided something that can never be committed or published: too large, undeclared, unencodable."""


class SelfCheckError(ChoreographyError):
    """The store, the broker or the sidecar behaves in a way that would lose or double events."""


class OutsideUnavailableError(ChoreographyError):
    """An effect got no definite reply from the outside; its request may or may not have been carried out."""


class WrongAddressError(ChoreographyError):
    """The outside answered an effect with a redirect: its address is wrong, so repeating the call would not help."""


class WeakKeyError(ChoreographyError):
    """Another caller could send the same Idempotency-Key, as this caller has no name and the key is weak."""
