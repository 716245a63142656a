"""Defects in the checks before a command runs."""

from __future__ import annotations

from typing import Final

from faults.defects.seeding import Change, Defect


def _defect(name: str, does: str, module: str, test: str, *text: str) -> Defect:
    return Defect(name, 17, does, (Change(f"choreography.{module}", *text),), (test,))


_ADMISSION: Final = "tests/unit/web/test_admission.py"

EDGE: Final = (
    _defect(
        "text-is-json",
        "a form or a text is taken for a command, so a web page elsewhere can give one",
        "web.admission",
        _ADMISSION,
        "        if len(types) > 1 or not all(map(_is_json, types)):",
        "        if False:",
    ),
    _defect(
        "pages-elsewhere-are-believed",
        "a request without a content type is taken for a command wherever it comes from",
        "web.admission",
        _ADMISSION,
        "        if not types and _comes_from_elsewhere(fields):",
        "        if False:",
    ),
    _defect(
        "compressed-bodies-are-read",
        "a compressed body is taken for a command",
        "web.admission",
        _ADMISSION,
        '    if any(encoding.strip().lower() not in ("", "identity", "chunked") for encoding in encodings):',
        "    if False:",
    ),
    _defect(
        "one-key-of-two",
        "of two keys in one request either may count",
        "web.admission",
        _ADMISSION,
        "    if len(keys) > 1:",
        "    if False:",
    ),
    _defect(
        "added-callers",
        "a client that sets the caller header is believed beside the ingress",
        "web.admission",
        _ADMISSION,
        "    if len(names) > 1:",
        "    if False:",
    ),
    _defect(
        "weak-keys-are-shared",
        "people without a name share the keys that come to everybody's mind",
        "engine.keys",
        "tests/unit/engine/test_keys.py",
        "    if caller == ANONYMOUS and _is_weak(key):",
        "    if False:",
    ),
    _defect(
        "unreachable-ids",
        "an id that nobody can ask for is accepted",
        "web.commands",
        "tests/unit/web/test_locations.py",
        "                if in_a_path:",
        "                if False:",
    ),
    _defect(
        "headers-without-end",
        "a client may take for ever over a header",
        "web.http_limits",
        "tests/unit/web/test_http_limits.py",
        "            self._limit = self.loop.call_later(seconds, otherwise)",
        "            self._limit = None",
    ),
)
