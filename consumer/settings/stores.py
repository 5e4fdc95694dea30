"""Where a processor's target is: one of the stores, and how it is reached."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from consumer.errors import SettingsError
from consumer.settings.base import Model, TableName

_NAME = r"[a-zA-Z_][a-zA-Z0-9_$]{0,62}"

SqlTable = Annotated[
    str,
    Field(
        pattern=rf"^({_NAME}\.)?[a-zA-Z_][a-zA-Z0-9_$]{{0,47}}$",
        description="`table` or `schema.table` of letters, digits, `_` and `$`, a table of at most 48",
    ),
]
"""Names that need no quoting, as they are written; the rest of 63 is for `_tidemark` and a rebuild's name."""

IndexName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,199}$",
        description="1 to 200 lower-case letters, digits, `_`, `.` or `-`, with a letter or digit first",
    ),
]

SqlType = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z_][a-zA-Z0-9_.]*( [a-zA-Z]+)*( ?\([0-9]+(, ?-?[0-9]+)?\))?( [a-zA-Z]+)*(\[\])?$",
        description="a type of PostgreSQL, such as `text`, `numeric(12,2)`, `date` or `text[]`",
    ),
]

EnvironmentVariable = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="the name of an environment variable")
]


class DynamoDBTable(Model):
    """A DynamoDB table.

    `ledger`: the table that says which rows each item has, where an item's own key does not.
    """

    table: TableName
    region: str | None = None
    ledger: TableName | None = None


class PostgreSQLTable(Model):
    """A PostgreSQL table.

    `url`: a libpq connection string or URI, without its password; `url_env`: the environment variable that
    holds one. What they leave out libpq takes from its own environment (PGHOST, PGPASSFILE, ...).
    `types`: columns' types, for `create`.
    """

    url: str | None = None
    url_env: EnvironmentVariable | None = None
    table: SqlTable
    create: bool = False
    types: Annotated[dict[str, SqlType], Field(min_length=1)] | None = None
    connections: Annotated[int, Field(ge=1, le=100)] = 8

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if self.url is not None and self.url_env is not None:
            raise ValueError("give `url` or `url_env`, not both")
        return self


class OpenSearchIndex(Model):
    """An OpenSearch index, by the alias through which it is read.

    `url`: the cluster's address; `url_env`: the environment variable that holds one, with user and password.
    `sigv4`: requests are signed for Amazon OpenSearch Service, in a region that the address says or `region`.
    `mappings`, `settings`: what the index is made with, as in OpenSearch's own index template.
    """

    url: str | None = None
    url_env: EnvironmentVariable | None = None
    sigv4: Literal["es"] | None = None
    region: str | None = None
    index: IndexName
    mappings: dict[str, object] | None = None
    settings: dict[str, object] | None = None

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give exactly one of `url` and `url_env`")
        if self.url is not None and "@" in self.url:
            raise ValueError("`url` has no password in it: put it into a variable and name that by `url_env`")
        if self.region is not None and self.sigv4 is None:
            raise ValueError("`region` is what requests are signed for; set `sigv4: es` too, or take it out")
        return self


class TransactionalStore(Model):
    """Exactly one of the stores that have transactions."""

    dynamodb: DynamoDBTable | None = None
    postgresql: PostgreSQLTable | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        names = list(type(self).model_fields)
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            named = " and ".join(f"`{name}`" for name in given) or "none of them"
            raise ValueError(f"is one of {', '.join(f'`{name}`' for name in names)}, not {named}")
        return self

    @property
    def kind(self) -> str:
        """The store's name in the settings."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)


class Store(TransactionalStore):
    """Exactly one of the stores."""

    opensearch: OpenSearchIndex | None = None


def address_of(store: PostgreSQLTable | OpenSearchIndex, environment: Mapping[str, str]) -> str:
    """Where the store is, as the settings or the environment say; empty: as libpq's own environment says.

    Raises:
        SettingsError: the variable that `url_env` names is not set.
    """
    if store.url_env is None:
        return store.url or ""
    address = environment.get(store.url_env)
    if not address:
        raise SettingsError(
            f"url_env: the environment variable {store.url_env} is not set; set it to the URL"
        )
    return address


NO_LIBPQ_ADDRESS = (
    "the address is no connection string or URI as libpq takes it; it looks like"
    " postgresql://user@host:5432/database?sslmode=verify-full"
)

WAYS_TO_A_STORE: dict[str, set[str]] = {
    "postgresql": {"url", "url_env", "create", "connections"},
    "opensearch": {"url", "url_env", "sigv4", "region", "settings"},
}
"""What of a store says how it is reached or made, and not what it holds."""
