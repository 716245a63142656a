"""The tables of the application, as it had them before."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What all tables have in common."""


class Order(Base):
    """An order, in a table of the application."""

    __tablename__ = "shop_orders"

    order_id: Mapped[str] = mapped_column(primary_key=True)
    total: Mapped[int]
    paid: Mapped[int] = mapped_column(default=0)
