"""Where in the file a setting stands that only a later look has found wrong.

Whoever looks at AWS or a store begins each sentence with the setting's path, the processor by its name:

processors.order-view.projection.store: table 'order-view' ...
tidemark.yaml:9:7: processors.order-view.projection.store: table 'order-view' ...
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as FilePath

from consumer.errors import SettingsError, Unavailable
from consumer.settings.document import Path
from consumer.settings.model import Settings

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Located:
    """Settings, and where each of them stands.

    Attributes:
        file: as the user has named it.
        settings: what it says.
        places: line and column of every key and list entry, `()` being the top.
    """

    file: FilePath
    settings: Settings
    places: Mapping[Path, tuple[int, int]]

    def tell(self, sentences: str) -> str:
        """Sentences, a line each, with their places in front; what begins with no setting stays as it is."""
        return "\n".join(map(self._told, sentences.split("\n")))

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell where in the file it is that the block finds wrong, or can't ask for now."""
        try:
            yield
        except SettingsError as error:
            raise SettingsError(self.tell(str(error))) from error
        except Unavailable as error:
            raise Unavailable(self.tell(str(error)), code=error.code) from error

    def _told(self, sentence: str) -> str:
        name = sentence.partition(" ")[0]
        is_path = name.endswith(":") or "." in name
        path = self._path(name.removesuffix(":")) if is_path else ()
        if not path:
            return sentence
        line, column = self.places[path]
        return f"{self.file}:{line}:{column}: {sentence}"

    def _path(self, name: str) -> Path:
        """As far as the file goes along with it: a default's place is that of what it would stand in."""
        path: Path = ()
        for key, index in _STEP.findall(name):
            step = int(index) if index else self._numbers.get(key, key) if path == ("processors",) else key
            if (*path, step) not in self.places:
                break
            path = (*path, step)
        return path

    @property
    def _numbers(self) -> dict[str, int]:
        """Of the processors, by name."""
        return {processor.name: number for number, processor in enumerate(self.settings.processors)}
