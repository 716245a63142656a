"""Store settings that lose data, found by running or reading the components of Dapr 1.18."""

from __future__ import annotations

import re
from typing import Final

from choreography.render.rule_shape import SettingRule, is_zero, lacks

_POSTGRES_V1: Final = (
    "state.postgresql v1 takes its ETag from a transaction number, which can come back, so an outdated "
    "write may pass as current. Write `version: v2`, with a tablePrefix of its own if v1 used the same "
    "database."
)
REFUSED_STORES: Final = {
    ("state.redis", ""): (
        "state.redis does not undo the other writes of a transaction that conflicts and overwrites on "
        "first-write, so events would be counted twice. Use PostgreSQL or SQLite: "
        "components/stores/postgres.yaml or sqlite.yaml."
    ),
    ("state.mongodb", ""): (
        "state.mongodb drops the error of a failed commit and reports success, so state would be lost in "
        "silence. Use PostgreSQL or SQLite: components/stores/postgres.yaml or sqlite.yaml."
    ),
    ("state.in-memory", ""): (
        "state.in-memory forgets every outcome with the sidecar, so events would be counted twice. "
        "Use PostgreSQL or SQLite: components/stores/postgres.yaml or sqlite.yaml."
    ),
    ("state.postgresql", "v1"): _POSTGRES_V1,
    ("state.postgres", "v1"): _POSTGRES_V1,
}

_GROWS: Final = "Outcomes expire, but nothing would remove them and the store would grow with every event."
_POSTGRES: Final = (
    SettingRule(
        "connectionString",
        lacks("lock_timeout="),
        "",
        "A replica that freezes keeps its row locks, and all others would wait for it without end.",
        "Add `lock_timeout=2000` to it as a plain parameter.",
    ),
    SettingRule(
        "connectionString",
        lacks("idle_in_transaction_session_timeout="),
        "",
        "A replica that freezes inside a transaction would keep its row locks for ever.",
        "Add `idle_in_transaction_session_timeout=3000` to it as a plain parameter.",
    ),
    SettingRule(
        "connectionString",
        lambda value: re.search(r"synchronous_commit\s*=\s*(off|local)", value) is not None,
        "",
        "A commit that was acknowledged may be gone after a crash, and its events with it.",
        "Leave synchronous_commit on, its default.",
    ),
    SettingRule(
        "connectionString",
        lacks("enable_seqscan=off"),
        "",
        "The planner does not know the keys of a new table and reads all of it for every batch.",
        "Add `enable_seqscan=off` to it as a plain parameter.",
    ),
    SettingRule(
        "connectionString",
        lacks("enable_bitmapscan=off"),
        "",
        "The planner does not know the keys of a new table and reads all that has not expired for every batch.",
        "Add `enable_bitmapscan=off` to it as a plain parameter.",
    ),
    SettingRule(
        "connectionString",
        lambda value: re.search(r"options\s*=.*-c.*-c", value) is not None,
        "",
        "A second -c inside `options` ends the sidecar.",
        "Write each as a plain parameter of its own.",
    ),
    SettingRule("cleanupInterval", is_zero, "1h", _GROWS, 'Write "10m".'),
)

STORE_RULES: Final[dict[str, tuple[SettingRule, ...]]] = {
    "state.mysql": (
        SettingRule(
            "connectionString",
            lacks("innodb_lock_wait_timeout="),
            "",
            "A replica that freezes keeps its row locks, and all others would wait for it for most of a minute.",
            "Add `innodb_lock_wait_timeout=2` to it as a parameter.",
        ),
        SettingRule(
            "connectionString",
            lambda value: bool(value) and re.search(r"[?&](idle_transaction_timeout|wait_timeout)=", value) is None,
            "",
            "A replica that freezes inside a transaction would keep its row locks for hours.",
            "Add `idle_transaction_timeout=3` (MariaDB) or a short `wait_timeout` (MySQL) to it as a parameter.",
        ),
        SettingRule("cleanupInterval", is_zero, "1h", _GROWS, 'Write "10m".'),
    ),
    "state.sqlite": (
        SettingRule("cleanupInterval", is_zero, "0", _GROWS, 'Write "10m".'),
        SettingRule(
            "connectionString",
            lambda value: ":memory:" in value.lower(),
            "",
            "A database in memory is gone with its sidecar, so events would be counted twice.",
            "Name a file on a local disk.",
        ),
        SettingRule(
            "connectionString",
            lambda value: re.search(r"synchronous\W+(off|normal|0|1)\b", value.lower()) is not None,
            "",
            "A commit that was acknowledged may be gone after a power cut.",
            "Leave _pragma=synchronous out; the default is FULL.",
        ),
    ),
    "state.postgresql": _POSTGRES,
    "state.postgres": _POSTGRES,
}
