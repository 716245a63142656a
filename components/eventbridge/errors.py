"""What can go wrong, each as a sentence that says what happened and what to do."""

from __future__ import annotations

from typing import Final

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError


class ComponentError(Exception):
    """Something the user of the component must mend; its text is a sentence for them."""


class SettingsError(ComponentError):
    """A setting of the component, or of one subscription, is missing, unknown or impossible."""


AWS_FAILURES: Final = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, TimeoutError)
"""What a call to AWS may raise: it was refused, not answered, or never sent."""

_ALLOW: Final = (
    "Allow it in the policy of the identity that the component runs as; or, if it is about making things, make them "
    'beforehand and set provision to "false".'
)
_ADVICE: Final = {
    "AccessDeniedException": _ALLOW,
    "AccessDenied": _ALLOW,
    "UnrecognizedClientException": "The access key is not known to AWS; check the credentials.",
    "InvalidClientTokenId": "The access key is not known to AWS; check the credentials.",
    "ExpiredToken": "The session token is too old; renew the credentials.",
    "ExpiredTokenException": "The session token is too old; renew the credentials.",
    "LimitExceededException": "A quota of the account is used up; ask AWS to raise it.",
}


def code_of(error: BaseException) -> str:
    """The code by which AWS names a refusal, such as ``AccessDeniedException``; "" if it was none."""
    if not isinstance(error, ClientError):
        return ""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code.rpartition(".")[2]


def explain(error: BaseException) -> str:
    """Say in one line what AWS or the network said, and what helps, where that is known."""
    said = " ".join(str(error).split()) or type(error).__name__
    advice = _ADVICE.get(code_of(error), "")
    return f"{said.rstrip('.')}. {advice}".strip()


def queue_is_gone(error: BaseException) -> bool:
    """Whether a call failed because its queue was deleted."""
    return code_of(error) in {"QueueDoesNotExist", "NonExistentQueue"}
