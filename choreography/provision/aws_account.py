"""The address of AWS, as `choreography provision` takes it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from choreography.provision.layout import ProvisionError


@dataclass(frozen=True, slots=True)
class Account:
    """A region of AWS, or an emulator.

    Attributes:
        region: such as ``eu-west-1``.
        endpoint: the URL of an emulator; None is AWS.
        access_key, secret_key: None: the default chain of AWS provides them.
    """

    region: str
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = None


def account_at(address: str) -> Account:
    """Read an address: a region, such as ``eu-west-1``, or ``http://key:secret@host:port/region`` for an emulator.

    Raises:
        ProvisionError: the address has neither form.
    """
    if "://" not in address:
        if not address or not address.replace("-", "").isalnum():
            raise ProvisionError(f"{address!r} is no region of AWS, so nothing can be made there. Name one: eu-west-1.")
        return Account(address)
    url = urlsplit(address)
    region = url.path.strip("/")
    if url.scheme not in {"http", "https"} or not url.hostname or not region:
        raise ProvisionError(
            f"{url.scheme}://{url.hostname or ''}{url.path} does not say where AWS is. Name a region (eu-west-1), or "
            "an emulator with the region as its path: http://key:secret@127.0.0.1:5000/eu-west-1."
        )
    endpoint = f"{url.scheme}://{url.hostname}" + (f":{url.port}" if url.port else "")
    key, secret = (unquote(part) if part else None for part in (url.username, url.password))
    return Account(region, endpoint, key, secret)
