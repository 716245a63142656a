"""Errors of NATS, each with a message that says what happened and what to do."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

import nats.errors
from nats.js.errors import (
    APIError,
    NoStreamResponseError,
    NotFoundError,
    ServiceUnavailableError,
)

NATS_FAILURES: Final = (nats.errors.Error, OSError, TimeoutError)
"""What a call may raise: it was refused, not answered, or never sent."""

_TOO_LARGE: Final = 10054
"""By which a stream says that a message is larger than it takes."""

_LOGIN: Final = (
    "NATS does not take this login, so it refuses every call. Correct user and password in natsURL, or username and "
    "password, token, seedKey or jwt."
)
_NOBODY: Final = (
    "Nothing answers there, so nothing is published or heard until it does. Check natsURL, and whether the network "
    "lets this process reach that address."
)
_CERTIFICATE: Final = (
    "The certificate of the server is not signed by an authority that is known here. Write its certificate into "
    "tls_ca_cert."
)
_STREAM: Final = 'No stream takes this subject. Make it (`choreography provision`), or set provision to "true".'
_ALLOW: Final = (
    "Allow it in the permissions of this user: `choreography render` writes down what the user of each app needs."
)
_JETSTREAM: Final = "Switch JetStream on for the server and this account, and give both room on disk."


def explain(error: BaseException) -> str:
    """Return one line with the error of NATS or of the network, and the remedy if it is known."""
    said = " ".join(str(error).split()) or type(error).__name__
    return f"{said.removeprefix('nats: ').rstrip('.')}. {_advice(error)}".strip()


def _advice(error: BaseException) -> str:
    advice = next((advice for is_it, advice in _ADVICE if is_it(error)), None)
    if advice is not None:
        return advice
    is_told = isinstance(error, nats.errors.Error) and not isinstance(error, nats.errors.NoServersError)
    return "" if is_told else _NOBODY


def is_about_login(error: BaseException | None) -> bool:
    """Whether NATS refused the login, and would refuse every other call for the same reason."""
    said = str(error).lower()
    return error is not None and any(sign in said for sign in ("authorization violation", "authentication"))


def is_missing(error: BaseException) -> bool:
    """Whether a stream or a consumer is missing."""
    return isinstance(error, NotFoundError)


def is_lasting(error: BaseException) -> bool:
    """Whether the same event would fail for the same reason again."""
    return isinstance(error, nats.errors.MaxPayloadError) or (
        isinstance(error, APIError) and error.err_code == _TOO_LARGE
    )


_ADVICE: Final[tuple[tuple[Callable[[BaseException], bool], str], ...]] = (
    (is_about_login, _LOGIN),
    (lambda error: isinstance(error, ssl.SSLError), _CERTIFICATE),
    (lambda error: isinstance(error, NoStreamResponseError), _STREAM),
    (lambda error: isinstance(error, ServiceUnavailableError), _JETSTREAM),
    (lambda error: "permissions violation" in str(error).lower(), _ALLOW),
)
