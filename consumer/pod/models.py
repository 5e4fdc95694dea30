"""Which model each processor writes to: the settings' own, or the one it was last cut over to."""

from collections.abc import Mapping
from dataclasses import dataclass

from checkpoint.api import Api
from checkpoint.control import Control, Controls
from checkpoint.positions import SUFFIX, Positions
from consumer.errors import SettingsError, Unavailable
from consumer.pod.targets.ledgers import Past
from consumer.processors.base import fingerprint
from consumer.settings.model import Settings
from consumer.settings.moved import moved, target_name, with_processors

UNDECIDED = -1
"""Of a processor whose model is being swapped: what its target is now, only the cut-over can tell."""


@dataclass(frozen=True, slots=True)
class Models:
    """What was cut over.

    Attributes:
        generations: how often, of the processors that were; UNDECIDED while one is.
        halted: those that write nothing, and why: another model took the place of the one that these settings
            made, and the pod is to get its settings; or it is being swapped.
        changed: those that have other settings than the application has run with, unless they are halted: no
            pod may start with them.
        known: the fingerprints the application has run with, by processor; None: it never ran.
        rebuilds: the applications that built what was cut over to: their dead letters are the live one's now.
    """

    generations: Mapping[str, int]
    halted: Mapping[str, str]
    changed: frozenset[str]
    known: Mapping[str, str] | None
    rebuilds: frozenset[str]

    @property
    def past(self) -> Past:
        """What targets are judged by."""
        return Past(frozenset(self.known or ()), self.rebuilds)


async def read_models(settings: Settings, dynamodb: Api) -> Models:
    """Ask the positions table, where there is one; changes nothing.

    Raises:
        SettingsError: it may not be read.
        Unavailable: it can't be read now.
    """
    try:
        controls = await Controls(dynamodb, settings.application).read()
        known = await Positions(dynamodb, settings.application).read_processors()
    except Unavailable as error:
        if error.code != "AccessDeniedException":
            raise
        raise SettingsError(
            f"application: not allowed to read table {settings.application + SUFFIX!r}, which says where"
            " processors that were cut over write; allow dynamodb:GetItem on it"
        ) from None
    found = {
        processor.name: (processor, control)
        for processor in settings.processors
        if (control := controls.get(processor.name)) is not None
    }
    swapping = {name for name, (_, control) in found.items() if control.phase == "swapping"}
    cut_over = {name: control for name, (_, control) in found.items() if control.generation}
    ours = {processor.name: fingerprint(processor) for processor in settings.processors}
    differing = {name for name, made_by in (known or {}).items() if ours.get(name, made_by) != made_by}
    late = {name for name in differing & cut_over.keys() if _is_late(ours[name], cut_over[name])}
    return Models(
        generations={name: control.generation for name, control in cut_over.items()}
        | dict.fromkeys(swapping, UNDECIDED),
        halted={name: halt(name, cut_over[name]) for name in late}
        | {name: _wait(name, found[name][1]) for name in swapping},
        changed=frozenset(differing - late - swapping),
        known=known,
        rebuilds=frozenset(control.application for control in cut_over.values()),
    )


async def with_models(settings: Settings, models: Models, dynamodb: Api) -> Settings:
    """The settings with every target that readers find through a pointer, and without what is halted.

    Raises:
        SettingsError: a processor is new, but has the name of one that was cut over.
    """
    usable = [processor for processor in settings.processors if processor.name not in models.halted]
    names = [processor.name for processor in usable if processor.name in models.generations]
    pointers = await Controls(dynamodb, settings.application).read_pointers(names)
    for processor in usable:
        pointer = pointers.get(processor.name)
        is_new = models.known is not None and processor.name not in models.known
        if is_new and pointer is not None and pointer.table != target_name(processor):
            raise SettingsError(
                f"processors.{processor.name}: an earlier processor of this name was cut over to table"
                f" {pointer.table!r}, and readers find it there; set `table` to that one, give the processor"
                f" another name, or delete the row `table/{processor.name}` of table"
                f" {settings.application + SUFFIX!r}"
            )
    return with_processors(
        settings,
        [
            moved(processor, pointers[processor.name].table, pointers[processor.name].ledger)
            if processor.name in pointers
            else processor
            for processor in usable
        ],
    )


def _is_late(made_by: str, control: Control) -> bool:
    """Whether a model of these settings was live before the cut-over; so it may be where nobody knows."""
    return control.earlier is None or made_by in control.earlier


def halt(name: str, control: Control) -> str:
    """What to tell where a processor writes nothing."""
    return (
        f"processors.{name} was cut over to a model that other settings made (as {control.into!r}): it writes"
        " nothing until this pod runs with the settings the rebuild was made with"
    )


def _wait(name: str, control: Control) -> str:
    return (
        f"processors.{name} is being cut over to {control.into!r}: it writes nothing until `tidemark cutover`"
        " is done; should that have died, run it again"
    )
