"""Tests enforce the rules of the house: budgets, bans and frozen names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import choreography
from apps.checkout import billing, contracts, inventory, notification, order, shipping
from choreography import Answer, Event, Service

ROOT = Path(choreography.__file__).parent
# Properties are about the domain but never deployed with it: they may import every service and the model checker.
DOMAIN = sorted(path for path in Path(contracts.__file__).parent.glob("*.py") if path.stem != "properties")
SERVICES = (order.order, inventory.inventory, billing.billing, shipping.shipping, notification.notification)

ALLOWED = {"apps.checkout.contracts", "apps.checkout.payment", "choreography", "collections.abc", "pydantic", "typing"}
FROM_DATETIME = {"timedelta"}
BANNED_CALLS = {"open", "input", "print", "eval", "exec", "__import__"}
BANNED_ATTRIBUTES = {"now", "utcnow", "today"}

PUBLIC = [
    "Answer",
    "ChoreographyError",
    "Committing",
    "Deadline",
    "Decision",
    "Entity",
    "Event",
    "Id",
    "Intent",
    "Money",
    "NewId",
    "Outside",
    "Request",
    "Service",
    "Value",
    "named_by",
    "nothing",
]

WIRE_TYPES = {
    "order.created.v1": "order",
    "order.cancellation-requested.v1": "order",
    "order.completed.v1": "order",
    "order.cancelled.v1": "order",
    "stock.added.v1": "inventory",
    "stock.reserved.v1": "inventory",
    "stock.rejected.v1": "inventory",
    "stock.released.v1": "inventory",
    "payment.charged.v1": "billing",
    "payment.declined.v1": "billing",
    "payment.refunded.v1": "billing",
    "shipment.dispatched.v1": "shipping",
    "shipment.withheld.v1": "shipping",
    "shipment.cancellation-refused.v1": "shipping",
}

ANSWERS = ["card.charged.v1", "card.refunded.v1", "card.refused.v1"]

EFFECTS = {"Charge": "charge_card", "Refund": "refund_card"}

KINDS = {
    "order": ["order"],
    "inventory": ["reservation", "shelf"],
    "billing": ["payment"],
    "shipping": ["shipment"],
    "notification": ["notice"],
}

REACTIONS = {
    "order": [
        "cancel_as_asked",
        "cancel_without_payment",
        "cancel_without_stock",
        "complete",
        "follow",
        "note_refusal",
        "note_request",
        "overdue",
    ],
    "inventory": ["release", "reserve", "stock_up"],
    "billing": ["charge", "give_back", "record_charge", "record_refund", "record_refusal"],
    "shipping": ["dispatch", "withhold"],
    "notification": ["tell_cancelled", "tell_completed"],
}


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Return every module that is imported, with the name taken from it, if any."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or ".", alias.name) for alias in node.names)


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.stem)
def test_a_domain_file_imports_nothing_that_does_io(path: Path) -> None:
    """No clock, random, network or environment: a reaction depends only on its arguments."""
    for module, name in imported(ast.parse(path.read_text())):
        allowed = module in ALLOWED or (module == "datetime" and name in FROM_DATETIME)
        assert allowed, f"{path.name} imports {name or 'all'} of {module}"


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.stem)
def test_a_domain_file_calls_nothing_that_does_io(path: Path) -> None:
    """Functions that need no import are banned by name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            assert node.id not in BANNED_CALLS, f"{path.name} uses {node.id}"
        if isinstance(node, ast.Attribute):
            assert node.attr not in BANNED_ATTRIBUTES, f"{path.name} uses .{node.attr}"


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.stem)
def test_a_domain_file_is_read_in_one_sitting(path: Path) -> None:
    """Under two hundred lines, docstring first."""
    text = path.read_text()
    assert len(text.splitlines()) < 200
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_of_the_library_is_short_and_says_what_it_is_for(path: Path) -> None:
    """At most three hundred lines, docstring first."""
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text))


def test_the_public_names_are_these() -> None:
    """An added name is a new promise, and a removed name breaks one."""
    assert choreography.__all__ == PUBLIC
    assert all(hasattr(choreography, name) for name in PUBLIC)


def test_the_wire_types_of_checkout_are_frozen() -> None:
    """A renamed event is another event: old ones in brokers and stores would no longer be understood."""
    concrete = (one for one in vars(contracts).values() if isinstance(one, type) and issubclass(one, Event))
    assert {one.wire_type: one.owned_by for one in concrete if one.wire_type} == WIRE_TYPES
    answers = (one for one in vars(billing).values() if isinstance(one, type) and issubclass(one, Answer))
    assert sorted(one.wire_type for one in answers if one is not Answer) == ANSWERS


def test_every_event_of_checkout_has_one_publisher() -> None:
    """Every declared event has a service that may publish it."""
    published = [event.wire_type for service in SERVICES for event in service.publishes]
    assert sorted(published) == sorted(WIRE_TYPES)


def test_the_effects_of_checkout_are_frozen() -> None:
    """An idempotency key derives from the effect's name: renamed, it would charge a second time."""
    effects = [(intent, effect) for service in SERVICES for intent, effect in service.effects.items()]
    assert {intent.__name__: effect.name for intent, effect in effects} == EFFECTS


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
def test_the_names_that_ids_and_keys_derive_from_are_frozen(service: Service) -> None:
    """Ids derive from reaction names and keys from kinds; after a renaming, repeats would count as new events."""
    reactions = {one.name for subject in service.subjects.values() for one in subject.reactions}
    assert sorted(reactions) == REACTIONS[service.name]
    assert sorted(entity.kind for entity in service.entities) == KINDS[service.name]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
def test_the_services_of_checkout_leave_nothing_open(service: Service) -> None:
    """Every intent is carried out, every answer heard, every command reacted to."""
    service.check()
