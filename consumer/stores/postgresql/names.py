"""Names in SQL, as they are, whatever is in them ("Lexical Structure", Identifiers and Key Words). Pure."""


def quoted(name: str) -> str:
    """A column's name."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def quoted_table(table: str) -> str:
    """A table's: `table` or `schema.table` of the settings."""
    return ".".join(map(quoted, table.split(".")))
