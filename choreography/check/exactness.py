"""Contracts that change a value each time they read it: import cannot see the effect of an author's validators."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from choreography.analysis.examples import SIZES, NoExampleError, example
from choreography.check.finding import CheckedFlow, Found
from choreography.completeness import contracts_of
from choreography.contracts import Value


def changing(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each contract with an example that differs after it was written and read."""
    seen = set[type[Value]]()
    for service in flow.services:
        for contract in contracts_of(service):
            if contract not in seen:
                seen.add(contract)
                yield from _changing(service.name, contract)


def _changing(service: str, contract: type[Value]) -> Iterator[Found]:
    for size in SIZES:
        try:
            made = example(contract, size)
        except NoExampleError:
            # Another rule reports it where it matters.
            continue
        if problem := _difference(made):
            yield Found(
                f"{service}:{contract.__name__}",
                f"{contract.__name__} of {service} does not come back as it was written: {problem}.",
                "A validator runs again wherever the value is read. Let it leave alone what it has already changed, or "
                "change the value before the contract is made.",
                contract,
            )
            return


def _difference(made: Value) -> str:
    written = made.model_dump_json()
    try:
        back = type(made).model_validate_json(written, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        return f"{where} of {written} is refused ({first['msg']})"
    changed = [name for name in type(made).model_fields if getattr(made, name) != getattr(back, name)]
    told = (f"{name} was {getattr(made, name)!r} and is {getattr(back, name)!r}" for name in changed)
    return "; ".join(told)
