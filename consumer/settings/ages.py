"""Where maximum_record_age may not be: a processor that keeps state has no use for it."""

from collections.abc import Iterator

from consumer.settings.document import Path
from consumer.settings.model import Settings

_WHY = (
    "is for processors that tell events; {who} made equal to the source, and however old a change is, "
    "it is part of that: take it out"
)


def age_mistakes(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Where in the settings it stands in vain: at such a processor, or in a file that has none but such."""
    keepers = [processor.keeps_state for processor in settings.processors]
    if settings.delivery.maximum_record_age is not None and all(keepers):
        yield ("delivery", "maximum_record_age"), _WHY.format(who="every target of this file is")
    for index, processor in enumerate(settings.processors):
        own = processor.delivery
        if processor.keeps_state and own is not None and own.maximum_record_age is not None:
            path = ("processors", index, "delivery", "maximum_record_age")
            yield path, _WHY.format(who="this one's target is")
