"""Where a database is: a connection string or URI of libpq ("Connection Strings")."""

import psycopg
from psycopg.conninfo import conninfo_to_dict

from consumer.errors import SettingsError
from consumer.settings.stores import NO_LIBPQ_ADDRESS


def parsed(address: str) -> dict[str, str]:
    """An address's parts, `host`, `dbname` and so on.

    Raises:
        SettingsError: it is neither. Its text is not repeated, for it may have a password in it.
    """
    try:
        return {name: str(value) for name, value in conninfo_to_dict(address).items() if value is not None}
    except psycopg.ProgrammingError:
        raise SettingsError(f"url: {NO_LIBPQ_ADDRESS}") from None
