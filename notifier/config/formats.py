"""The settings of formats: which keys belong to which format is the formats' own to say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from typing import Any

from notifier.config.nodes import Path, Scalar, Span, quoted
from notifier.config.problems import Mistake, Report
from notifier.config.urls import check_url
from notifier.delivery.formats.contract import Format, Option, Unusable
from notifier.delivery.samples import CHECKED_AT, sample_event
from notifier.model import EventType

LONGEST_FILE = 1 << 20  # bytes; a format may want less

# What means nothing where notifier sends no HTTP of its own.
HTTP_KEYS = ("headers", "auth", "tls", "proxy", "proxy_file", "proxy_credential")


@dataclass(frozen=True, slots=True)
class _Given:
    """An option's text, and where it stands."""

    text: str
    path: Path
    file: FilePath | None = None  # None: in the configuration itself


@dataclass(frozen=True, slots=True)
class OptionReader:
    """Reads what a callback says to its format."""

    report: Report
    folder: FilePath  # of the configuration: relative file names start here
    formats: Mapping[str, Format]
    tries: bool  # whether to try them on samples, which takes a moment

    def read(self, path: Path, form: Any, traits: Format, events: Sequence[str]) -> dict[str, str]:
        """Give the options of the callback at ``path``, defaults filled in; what is wrong with them is reported.

        :param events: the patterns of the events that the callback asks for.
        """
        self._refuse_strangers(path, traits)
        read = {name: self._option(path, form, name, option) for name, option in traits.options.items()}
        given = {name: each for name, each in read.items() if each}
        options = {name: option.default for name, option in traits.options.items() if option.default is not None}
        options |= {name: each.text for name, each in given.items()}
        if all(name in options for name, option in traits.options.items() if option.required):
            try:
                self._try(traits.configured(options), events)
            except Unusable as fault:
                self._report(path, given.get(fault.key), fault)
        return options

    def _try(self, configured: Format, events: Sequence[str]) -> None:
        asked = (each for each in EventType if any(fnmatchcase(each, pattern) for pattern in events))
        if self.tries:
            configured.check([sample_event(each, CHECKED_AT, "evt_test") for each in asked])

    def _report(self, path: Path, given: _Given | None, fault: Unusable) -> None:
        if given is None:
            self.report.error((*path, fault.key), fault.message, fault.hint)
        elif given.file is not None:
            place = "".join(f":{number}" for number in (fault.line, fault.column) if number)
            self.report.error(given.path, f"{given.file}{place}: {fault.message}", fault.hint)
        else:
            self.report.error(given.path, fault.message, fault.hint, span=self._span(given.path, fault))

    def _span(self, path: Path, fault: Unusable) -> Span | None:
        """Give the place of a fault inside a text of several lines (``key: |``); of others, None: their beginning."""
        begin = self.report.span_of(path)
        if begin is None or fault.line is None or self.report.lines[begin.line][begin.column : begin.column + 1] != "|":
            return None
        line = begin.line + fault.line
        if line >= len(self.report.lines):
            return None
        first = next(each for each in self.report.lines[begin.line + 1 :] if each.strip())
        column = len(first) - len(first.lstrip()) + (fault.column or 1) - 1
        return Span(line, column, line, column + 1)

    def _refuse_strangers(self, path: Path, traits: Format) -> None:
        """Refuse what only other formats know, and what only those that are sent by HTTP do."""
        keys = self.report.keys(*path)
        for name, other in self.formats.items():
            for key in spellings(other):
                if key in keys and key not in spellings(traits):
                    self.report.error(
                        (*path, key), f"`{key}` is for the format {name}", f"add `format: {name}`", on_key=True
                    )
        for key in HTTP_KEYS:
            if key in keys and not traits.uses_http:
                message = f"`{key}` means nothing to the format {traits.name}"
                self.report.error((*path, key), message, "leave it out", on_key=True)

    def _option(self, path: Path, form: Any, name: str, option: Option) -> _Given | None:
        names = [name, f"{name}_file"] if option.has_file else [name]
        given = [key for key in names if key in self.report.keys(*path)]
        if not given and option.required:
            self._report_missing(path, name, names)
        if len(given) > 1:
            message = f"`{given[1]}` besides `{given[0]}`: exactly one of them may be given"
            self.report.error((*path, given[1]), message, "keep one of the two", on_key=True)
        scalar: Scalar | None = getattr(form, given[0]) if len(given) == 1 else None
        if scalar is None:
            return None
        at = (*path, given[0])
        try:
            return self._text(at, scalar, is_file=given[0] != name)
        except Mistake as mistake:
            self.report.mistake(at, mistake)
            return None

    def _report_missing(self, path: Path, name: str, names: Sequence[str]) -> None:
        hint = f"give {' or '.join(f'`{key}`' for key in names)}"
        self.report.error(path, f"the {name} is missing", hint, on_key=True)

    def _text(self, path: Path, scalar: Scalar, *, is_file: bool) -> _Given:
        if is_file:
            file = self.folder / scalar.text
            return _Given(_read(file, scalar), path, file)
        if scalar.variables:
            raise Mistake(
                f"${scalar.variables[0]} would be sent and stored with every event",
                "write the text itself; what is secret goes into the URL or a header",
            )
        return _Given(scalar.text, path)


def spellings(traits: Format) -> tuple[str, ...]:
    """Give every key that a format's options can be written with."""
    files = (f"{name}_file" for name, option in traits.options.items() if option.has_file)
    return (*traits.options, *files)


def url_check(traits: Format | None) -> Callable[[str], None]:
    """Give what refuses a URL that a format can't use, by raising ``Mistake``."""
    if traits is None or traits.uses_http:
        return check_url

    def check(text: str) -> None:
        try:
            traits.check_url(text)
        except Unusable as fault:
            raise Mistake(fault.message, fault.hint) from None

    return check


def _read(file: FilePath, scalar: Scalar) -> str:
    noun = f"the file {quoted(scalar.source)}"
    try:
        with file.open("rb") as stream:
            content = stream.read(LONGEST_FILE + 1)
        if len(content) <= LONGEST_FILE:
            return content.decode()
    except UnicodeDecodeError:
        raise Mistake(f"{noun} is not UTF-8", "write it as plain text") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a file name"
        raise Mistake(f"{noun} can't be read: {why}", "a relative name starts at the configuration's folder") from None
    raise Mistake(f"{noun} is longer than {LONGEST_FILE} bytes", "name the file that holds the text alone")
