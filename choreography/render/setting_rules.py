"""Judges every single setting of a broker or a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from choreography.render.broker_rules import BROKER_RULES, REFUSED_BROKERS
from choreography.render.known_components import judge_type, type_of
from choreography.render.known_settings import judge_names
from choreography.render.resources import Resource
from choreography.render.store_rules import REFUSED_STORES, STORE_RULES

_REFUSED: Final = REFUSED_BROKERS | REFUSED_STORES
_RULES: Final = BROKER_RULES | STORE_RULES


def judge_settings(component: Resource) -> Iterator[str]:
    """Yield a sentence for each setting of a component that loses messages or breaks the guarantee."""
    kind = type_of(component)
    refusal = _REFUSED.get((kind, str(component.spec.get("version", "v1")))) or _REFUSED.get((kind, ""))
    if refusal:
        yield f"{component.file}: {refusal}"
        return
    yield from judge_type(component)
    yield from judge_names(component, kind)
    for rule in _RULES.get(kind, ()):
        if component.has(rule.setting) and component.settings[rule.setting.lower()] is None:
            continue
        value = component.text(rule.setting, rule.default)
        if rule.bad(value):
            is_set = (
                f"is {value!r}"
                if component.has(rule.setting)
                else f"is not set, which means {rule.default or 'none'!r}"
            )
            yield f"{component.file}: {rule.setting} {is_set}. {rule.why} {rule.write}"
