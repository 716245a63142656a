"""`choreography migrate`: its sources of addresses and logins, and its refusals before any change."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from choreography.errors import ChoreographyError
from choreography.stores.command import MigrateRequest, run

FLOW = "apps.checkout"
OWNER = "postgresql://owner@127.0.0.1:1/checkout"


def shown(asked: MigrateRequest) -> str:
    """Return the statements that would be run."""
    out = io.StringIO()
    run(asked, Console(file=out, width=200), only_text=True)
    return out.getvalue()


def logins(folder: Path, **urls: str) -> str:
    """Write the URL of each service into a file of its own; return the pattern that names them."""
    for service, url in urls.items():
        (folder / service).write_text(f"{url}\n")
    return str(folder / "{service}")


def test_each_service_may_have_a_database_of_its_own(tmp_path: Path) -> None:
    """Teams that do not share a server may share a flow."""
    files = logins(tmp_path, order=f"sqlite:///{tmp_path}/one/o.db", billing=f"sqlite:///{tmp_path}/two/b.db")
    out = io.StringIO()
    asked = MigrateRequest(FLOW, database_file=files, services=("order", "billing"))
    assert run(asked, Console(file=out, width=200)) == 0
    assert (tmp_path / "one/o.db").stat().st_size > 0
    assert (tmp_path / "two/b.db").stat().st_size > 0
    assert "inventory" not in out.getvalue()


def test_rights_are_granted_to_the_role_that_a_service_logs_in_with(tmp_path: Path) -> None:
    """The role's name is written only in the URL of the service."""
    files = logins(tmp_path, order="postgresql://team%2Dorder:se%3Acret@host/checkout")
    text = shown(MigrateRequest(FLOW, database=OWNER, services=("order",), login_file=files))
    assert 'GRANT USAGE ON SCHEMA checkout_order TO "team-order"' in text
    assert "CREATE ROLE" not in text
    assert "cret" not in text


def test_a_role_is_made_without_its_password_in_any_statement(tmp_path: Path) -> None:
    """Statements end in logs, so they hold PostgreSQL's verifier and not the password."""
    files = logins(tmp_path, order="postgresql://o'brien:se%3Acret@host/checkout")
    text = shown(MigrateRequest(FLOW, database=OWNER, services=("order",), login_file=files, make_roles=True))
    assert "DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ''o''''brien'')" in text
    assert "se:cret" not in text
    found = re.search(r"PASSWORD 'SCRAM-SHA-256\$(\d+):(\S+?)\$(\S+?):(\S+?)'", text)
    assert found
    rounds, salt, stored, _ = found.groups()
    salted = hashlib.pbkdf2_hmac("sha256", b"se:cret", base64.b64decode(salt), int(rounds))
    assert base64.b64decode(stored) == hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    assert text.index("CREATE ROLE") < text.index("CREATE SCHEMA") < text.index("GRANT USAGE")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"services": ("ordr",)}, r"no service 'ordr'.* It has billing|inventory"),
        ({"database": ""}, "in one way"),
        ({"database_file": "/somewhere"}, "in one way"),
        ({"database": "", "database_file": "/nowhere/{service}"}, "/nowhere/order should hold the URL"),
        ({"make_roles": True}, "Name the files"),
        ({"role": "{schema}", "login_file": "/nowhere/{service}"}, "Leave one of them out"),
    ],
)
def test_what_cannot_be_meant_is_refused(changed: dict[str, Any], told: str) -> None:
    """The message says what to write instead."""
    asked = replace(MigrateRequest(FLOW, database=OWNER, services=("order",)), **changed)
    with pytest.raises(ChoreographyError, match=told):
        shown(asked)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://host/checkout", "names no role"),
        ("postgresql://order@host/checkout", "has no password"),
        ("postgresql://order:p%C3%A4ss@host/checkout", "other letters than those of ASCII"),
        ("postgresql://or%22der:x@host/checkout", "cannot be the name of a role"),
    ],
)
def test_a_login_that_no_role_can_be_made_of_is_refused_without_its_password(
    url: str, told: str, tmp_path: Path
) -> None:
    """The message may end in a log."""
    files = logins(tmp_path, order=url)
    with pytest.raises(ChoreographyError, match=told) as refused:
        shown(MigrateRequest(FLOW, database=OWNER, services=("order",), login_file=files, make_roles=True))
    assert "päss" not in str(refused.value)
