"""What good settings say, but hardly mean."""

from collections.abc import Iterator
from itertools import chain

from consumer.settings.document import Path
from consumer.settings.expressions import expression_doubts
from consumer.settings.filters import filter_doubts
from consumer.settings.model import Settings


def doubts(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Where in the settings, and why it is hardly meant."""
    return chain(filter_doubts(settings), expression_doubts(settings))
