"""Keys that are numbers: equal numbers are one key, however a request spells them.

The gap: ministack finds an item by the text of its key, so that 10 and 1E+1 are two items. AWS ("Supported
data types and naming rules") keeps numbers as numbers, leading and trailing zeros trimmed. A ministack that
does so lets this go.
"""

from collections.abc import Callable

from sandbox.emulator import Service


def apply(dynamodb: Service) -> None:
    """Find items by the number that a key is."""
    canonical: Callable[[str], str | None] = dynamodb["_ddb_canonicalize_number"]
    extract: Callable[[object], str] = dynamodb["_extract_key_val"]

    def by_number(attribute: object) -> str:
        text = extract(attribute)
        is_number = isinstance(attribute, dict) and "N" in attribute
        return canonical(text) or text if is_number else text

    dynamodb["_extract_key_val"] = by_number
