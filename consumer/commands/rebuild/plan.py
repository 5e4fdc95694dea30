"""Which application a rebuild is, and what it builds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from consumer.errors import SettingsError
from consumer.settings.base import TableName
from consumer.settings.model import ApplicationName, Processor, Settings
from consumer.settings.moved import moved, target_name, with_processors
from consumer.settings.stores import IndexName, SqlTable

_APPLICATION: TypeAdapter[str] = TypeAdapter(ApplicationName)
_NAMES: Mapping[str, TypeAdapter[str]] = MappingProxyType(
    {
        "dynamodb": TypeAdapter(TableName),
        "postgresql": TypeAdapter(SqlTable),
        "opensearch": TypeAdapter(IndexName),
    }
)
_SEPARATORS = {"dynamodb": "-", "postgresql": "_", "opensearch": "-"}


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """One rebuild of one processor.

    Attributes:
        live: the settings of the live application.
        processor: as they have it.
        generation: of the live model: the rebuilt one's is the next.
        into: the new target's name.
        settings: the rebuild's own: another application, this processor alone, from the trim horizon.
    """

    live: Settings
    processor: Processor
    generation: int
    into: str
    settings: Settings

    @property
    def name(self) -> str:
        """The processor's."""
        return self.processor.name

    @property
    def application(self) -> str:
        """The rebuild's own."""
        return self.settings.application

    @property
    def outcome(self) -> str:
        """Where the processor writes once it is cut over, for people: it depends on what can be moved."""
        name = target_name(self.processor)
        return {
            "dynamodb": f"writes to table {self.into}",
            "postgresql": f"writes to the new table {name}, which was {self.into}",
            "opensearch": f"writes to index {self.into}, to which alias {name} leads",
        }[self.processor.store.kind]

    @property
    def rebuilt(self) -> Processor:
        """The processor as the rebuild has it."""
        return self.settings.processors[0]


def plan_rebuild(settings: Settings, name: str, into: str | None, generation: int) -> RebuildPlan:
    """The rebuild of a processor; the same for `rebuild` and `cutover`.

    Raises:
        SettingsError: there is no such processor, or a name is not allowed.
    """
    names = [processor.name for processor in settings.processors]
    if name not in names:
        raise SettingsError(f"--processor {name}: there is none; there are {', '.join(names)}")
    processor = settings.processors[names.index(name)]
    if not processor.keeps_state:
        raise SettingsError(f"--processor {name} keeps no read model that could be built anew")
    target = into or default_into(processor, generation)
    kind = processor.store.kind
    _see_that_it_is_allowed(_NAMES[kind], target, "--into")
    if target == target_name(processor):
        raise SettingsError(f"--into {target}: that is where {name} writes by its settings; name another")
    application = f"{settings.application}-{target}" + (f"-{generation}" if generation else "")
    _see_that_it_is_allowed(_APPLICATION, application, "the rebuild's application")
    source = settings.source.kinesis.model_copy(update={"start": "trim_horizon"})
    derived = with_processors(settings, [moved(processor, target)]).model_copy(
        update={
            "application": application,
            "source": settings.source.model_copy(update={"kinesis": source}),
            # What it misses stays in the old form, and its rows are there: no cut-over would notice.
            "on_trimmed": "park",
        }
    )
    return RebuildPlan(settings, processor, generation, target, derived)


def default_into(processor: Processor, generation: int) -> str:
    """The new target's name where none is given: `<name>-rebuild`, and later ones are numbered."""
    kind = processor.store.kind
    numbered = generation and kind != "postgresql"  # there the new table takes the old one's name
    mark = _SEPARATORS[kind]
    return f"{target_name(processor)}{mark}rebuild" + (f"{mark}{generation + 1}" if numbered else "")


def _see_that_it_is_allowed(names: TypeAdapter[str], name: str, what: str) -> None:
    try:
        names.validate_python(name)
    except ValidationError:
        allowed = names.json_schema()["description"]
        raise SettingsError(f"{what} {name!r} is not allowed: it takes {allowed}") from None
