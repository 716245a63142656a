"""Run the provider: ``python -m apps.payment_provider``.

From the environment: ``APP_PORT`` and ``APP_HOST``, where it listens (8090 on loopback); ``PROVIDER_DATABASE``, its
ledger; ``PROVIDER_FAULTS``, the switches to start with, as JSON, instead of those that were kept.
"""

import gc
import os
import sqlite3
import sys

import uvicorn
from pydantic import ValidationError

from apps.payment_provider.api import create_app
from apps.payment_provider.faults import Faults

LOOPBACK = "127.0.0.1"


def main() -> None:
    """Serve until told to stop."""
    port = os.environ.get("APP_PORT", "8090")
    database = os.environ.get("PROVIDER_DATABASE", "payment-provider.sqlite")
    if not port.isdecimal() or not 0 < int(port) < 2**16:
        sys.exit(
            f"APP_PORT is {port!r}, which is no port, so nobody could reach the provider. "
            "Give a number from 1 to 65535."
        )
    try:
        sqlite3.connect(database).close()
    except sqlite3.Error as error:
        sys.exit(
            f"The ledger {database!r} cannot be opened ({error}), so no charge could be kept. "
            "Point PROVIDER_DATABASE at a file in a folder that exists and may be written."
        )
    # As our services do: looking for cycles that requests do not make would cost a tenth of the whole.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
    # A hanging answer must not keep the process from stopping: its charge is committed already.
    uvicorn.run(
        create_app(database, _faults()),
        host=os.environ.get("APP_HOST", LOOPBACK),
        port=int(port),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )


def _faults() -> Faults | None:
    """Read the switches that whoever deploys it asks for."""
    told = os.environ.get("PROVIDER_FAULTS", "")
    try:
        return Faults.model_validate_json(told) if told else None
    except ValidationError as error:
        sys.exit(
            f"PROVIDER_FAULTS cannot be understood ({error}), so the provider would misbehave in another way than "
            "was asked. Write what PUT /faults takes, as JSON."
        )


if __name__ == "__main__":
    main()
