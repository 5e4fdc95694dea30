"""Reading a file that a person wrote."""

from pathlib import Path

from consumer.errors import SettingsError


def read_text(file: Path) -> str:
    """The file's text.

    Raises:
        SettingsError: there is no such file, it can't be read, or it is no UTF-8 text.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"{file}: there is no such file") from None
    except IsADirectoryError:
        raise SettingsError(f"{file} is a directory; name the file in it") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not UTF-8 text (at byte {error.start})") from None
    except OSError as error:
        raise SettingsError(f"{file} can't be read: {error.strerror}") from None
