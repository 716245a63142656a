"""Errors, each with a message that says what happened and what to do."""

from __future__ import annotations

import re
from typing import Final

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from components.pluggable.errors import ComponentError, CredentialsError, SettingsError, UnfitError

__all__ = ["AWS_FAILURES", "MISSING", "ComponentError", "CredentialsError", "SettingsError", "UnfitError"]

AWS_FAILURES: Final = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, TimeoutError)
"""What a call to AWS may raise: it was refused, not answered, or never sent."""

_NO_CREDENTIALS: Final = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)

_ALLOW: Final = (
    "Allow it in the policy of the identity that the component runs as; or, if it is about making things, make them "
    'beforehand and set provision to "false".'
)
_KEY: Final = (
    "AWS does not know this access key, so it refuses every call. Correct accessKey, or AWS_ACCESS_KEY_ID where the "
    "component runs."
)
_SIGNED_BY_ANOTHER: Final = (
    "The secret key does not belong to this access key, so AWS refuses every call. Correct secretKey, or "
    "AWS_SECRET_ACCESS_KEY where the component runs."
)
_SESSION: Final = (
    "The session token is too old, so AWS refuses every call. Renew accessKey, secretKey and sessionToken together, "
    "or leave them out and give the pod a role."
)
_NONE: Final = (
    "No credentials were found, so AWS refuses every call. Set accessKey and secretKey, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY where the component runs, or give its pod a role."
)
_CLOCK: Final = "The clock of this machine differs too much from that of AWS, so AWS refuses every call. Set it right."
_CREDENTIALS: Final = {
    "UnrecognizedClientException": _KEY,
    "InvalidClientTokenId": _KEY,
    "InvalidAccessKeyId": _KEY,
    "AuthFailure": _KEY,
    "InvalidSignatureException": _SIGNED_BY_ANOTHER,
    "SignatureDoesNotMatch": _SIGNED_BY_ANOTHER,
    "IncompleteSignature": _SIGNED_BY_ANOTHER,
    "IncompleteSignatureException": _SIGNED_BY_ANOTHER,
    "ExpiredToken": _SESSION,
    "ExpiredTokenException": _SESSION,
    "InvalidToken": _SESSION,
    "MissingAuthenticationToken": _NONE,
    "MissingAuthenticationTokenException": _NONE,
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
}
_ADVICE: Final = {
    "AccessDeniedException": _ALLOW,
    "AccessDenied": _ALLOW,
    "LimitExceededException": "A quota of the account is used up; ask AWS to raise it.",
    **_CREDENTIALS,
}


_IN_XML: Final = re.compile(r"<Code>(?P<code>\w+)</Code>\s*<Message>(?P<message>[^<]*)</Message>")


def code_of(error: BaseException) -> str:
    """Return AWS's code of a refusal, such as ``AccessDeniedException``; "" if AWS did not refuse."""
    if not isinstance(error, ClientError):
        return ""
    told = error.response.get("Error", {})
    # A proxy between this process and AWS may answer in the form of another of AWS's protocols.
    found = _IN_XML.search(str(told.get("Message", "")))
    return found["code"] if found else str(told.get("Code", "")).rpartition(".")[2]


def explain(error: BaseException) -> str:
    """Return one line with the error of AWS or of the network, and the remedy if it is known."""
    said = " ".join(str(error).split()) or type(error).__name__
    if found := _IN_XML.search(said):
        said = f"{found['code']}: {found['message']}"
    return f"{said.rstrip('.')}. {_advice(error)}".strip()


def _advice(error: BaseException) -> str:
    if isinstance(error, _NO_CREDENTIALS):
        return _NONE
    if is_no_answer(error):
        return (
            "Nothing answers there, so nothing is published or heard until it does. Check endpoint and region, and "
            "whether the network lets this process reach that address."
        )
    return _ADVICE.get(code_of(error), "")


def is_about_credentials(error: BaseException) -> bool:
    """Whether AWS refused the caller, and would refuse every other call for the same reason."""
    if isinstance(error, _NO_CREDENTIALS):
        return True
    assumed = isinstance(error, ClientError) and error.operation_name.startswith("AssumeRole")
    return assumed or code_of(error) in _CREDENTIALS


def is_no_answer(error: BaseException) -> bool:
    """Whether a call failed because no answer came."""
    return isinstance(error, NoConnectionError | HTTPClientError | aiohttp.ClientError | OSError | TimeoutError)


def queue_is_gone(error: BaseException) -> bool:
    """Whether a call failed because its queue was deleted."""
    return code_of(error) in {"QueueDoesNotExist", "NonExistentQueue"}


def is_missing(error: BaseException) -> bool:
    """Whether a call failed because its bus or rule is missing."""
    return code_of(error) in MISSING


MISSING: Final = frozenset({"ResourceNotFoundException", "ResourceNotFound"})
"""Codes by which EventBridge says that a bus or a rule is not there."""
