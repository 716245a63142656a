"""What the ledger holds: entries, their totals, and the rule that bounds a refund."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, NamedTuple

Kind = Literal["charge", "decline", "refund", "unknown charge", "too much to refund"]


class Entry(NamedTuple):
    """What was asked under one idempotency key, and what became of it."""

    key: str
    kind: Kind
    order_id: str
    charge_id: str | None
    refund_id: str | None
    customer_id: str | None
    amount: int
    currency: str | None
    reason: str | None

    @classmethod
    def charging(
        cls, key: str, *, order_id: str, customer_id: str, amount: int, currency: str, declined: str | None
    ) -> "Entry":
        """Propose a charge, or the decline of one when a reason is given."""
        if declined is None:
            return cls(key, "charge", order_id, _identity("ch", key), None, customer_id, amount, currency, None)
        return cls(key, "decline", order_id, None, None, customer_id, amount, currency, declined)

    @classmethod
    def refunding(cls, key: str, order_id: str, charge_id: str, amount: int) -> "Entry":
        """Propose a refund; the ledger decides whether the charge allows it."""
        return cls(key, "refund", order_id, charge_id, _identity("re", key), None, amount, None, None)

    @property
    def is_charge_request(self) -> bool:
        """Whether money was to be taken rather than given back."""
        return self.kind in {"charge", "decline"}

    @property
    def asked(self) -> tuple[object, ...]:
        """The request alone, so that a repeat can be told from another request under the same key."""
        if self.is_charge_request:
            return "charge", self.order_id, self.customer_id, self.amount, self.currency
        return "refund", self.order_id, self.charge_id, self.amount


class Recorded(NamedTuple):
    """The entry a key stands for, and whether this request made it."""

    entry: Entry
    new: bool


@dataclass
class Totals:
    """Sums over the ledger. Kept in memory, where they cannot overflow and cost nothing to read."""

    charged: int = 0
    refunded: int = 0
    charges: int = 0
    refunds: int = 0
    declined: int = 0

    def add(self, kind: Kind, amount: int) -> None:
        """Count one entry."""
        match kind:
            case "charge":
                self.charged += amount
                self.charges += 1
            case "refund":
                self.refunded += amount
                self.refunds += 1
            case "decline":
                self.declined += 1
            case "unknown charge" | "too much to refund":
                pass


@dataclass
class Left:
    """What can still be given back of one charge."""

    order_id: str
    currency: str
    amount: int


def judge(proposed: Entry, left: dict[str, Left]) -> Entry:
    """Grant the refund, or turn it into the record of its refusal."""
    charge = left.get(str(proposed.charge_id))
    if charge is None or charge.order_id != proposed.order_id:
        reason = (
            f"Order {proposed.order_id} has no charge {proposed.charge_id}, so nothing can be given back. "
            "Use the charge_id that the charge of this order was answered with."
        )
        return proposed._replace(kind="unknown charge", refund_id=None, reason=reason)
    if proposed.amount > charge.amount:
        reason = (
            f"Only {charge.amount} of charge {proposed.charge_id} is left, less than the "
            f"{proposed.amount} asked for. Nothing was refunded; ask for what is left, "
            "with a new Idempotency-Key."
        )
        return proposed._replace(kind="too much to refund", refund_id=None, currency=charge.currency, reason=reason)
    charge.amount -= proposed.amount
    return proposed._replace(currency=charge.currency)


def _identity(prefix: str, key: str) -> str:
    """Derive the id from the key, so that the same request has the same id wherever it is asked."""
    return f"{prefix}_{sha256(f'{prefix}/{key}'.encode()).hexdigest()[:24]}"
