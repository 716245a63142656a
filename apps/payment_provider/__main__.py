"""Run the provider: ``python -m apps.payment_provider``."""

import os
import sqlite3
import sys

import uvicorn

from apps.payment_provider.api import create_app

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
    # A hanging answer must not keep the process from stopping: its charge is committed already.
    uvicorn.run(
        create_app(database),
        host=LOOPBACK,
        port=int(port),
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
