"""Run migrations on the connection the caller has open; there is no other way in."""

from alembic import context

from central_server.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
