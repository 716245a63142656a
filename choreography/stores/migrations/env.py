"""How Alembic runs the migrations: on the schema and the connection that it is given, or as text."""

from __future__ import annotations

from alembic import context

given = context.config.attributes
schema: str = given["schema"]

if context.is_offline_mode():
    context.configure(
        dialect_name=given["dialect"], version_table_schema=schema or None, literal_binds=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    # The transaction belongs to the caller: it holds the lock that lets two runs take turns.
    context.configure(connection=given["connection"], version_table_schema=schema or None)
    context.run_migrations()
