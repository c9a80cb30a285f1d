"""Read a configuration: YAML, then the environment's overrides, then every error at once with its path.

An override is `RAYMAKER__SECTION__KEY=value`, e.g. `RAYMAKER__STRATEGY__LEVELS=2`; lists and maps are written as JSON.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from configs.schema import Settings

ENVIRONMENT_PREFIX = "RAYMAKER__"
FILE_BYTES_MAX = 1_048_576
_SHOWN_CHARACTERS_MAX = 60


class Problem(NamedTuple):
    """One error: where it stands (`strategy.levels`) and why it is refused."""

    path: str
    reason: str


class ConfigError(Exception):
    """A configuration that is refused, with every error found in it."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        lines = "".join(f"\n  {problem.path}: {problem.reason}" for problem in problems)
        noun = "error" if len(problems) == 1 else "errors"
        super().__init__(f"{source}: {len(problems)} {noun} in the configuration{lines}")


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Settings of the file at `path` under the overrides in `environ`.

    Raises:
        ConfigError: the file cannot be read, or anything in it or in the overrides is refused.
    """
    return parse_settings(_read(path), environ, source=str(path), folder=path.parent)


def parse_settings(
    document: Mapping[str, Any], environ: Mapping[str, str], source: str, folder: Path = Path()
) -> Settings:
    """Settings of a parsed document under the overrides in `environ`; `source` names it in errors, `folder` is where it stands.

    Raises:
        ConfigError: anything is refused.
    """
    merged = _merged(document, _overrides(environ, source))
    inline = merged.pop("hard_caps", None)
    if inline is not None and not (isinstance(inline, dict) and all(cap is None for cap in inline.values())):
        raise ConfigError(source, (Problem("hard_caps", "belongs into a file of its own: name it in hard_caps_file"),))
    caps_file = merged.get("hard_caps_file")
    if isinstance(caps_file, str):
        merged["hard_caps"] = _read(folder / caps_file)
    return _validated(merged, source)


def with_changes(settings: Settings, changes: Mapping[str, Any], source: str) -> Settings:
    """The same settings with `changes` (nested like the document) put above them and everything checked again.

    Raises:
        ConfigError: the result is refused.
    """
    return _validated(_merged(settings.model_dump(), changes), source)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML without silent duplicates: a key written twice is an error, not the last one's victory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.constructor.ConstructorError(None, None, f"{key} is written twice (line {line})")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(str(path), (Problem("(file)", f"cannot be read: {error.strerror}"),)) from None
    if len(content) > FILE_BYTES_MAX:
        raise ConfigError(str(path), (Problem("(file)", f"is longer than {FILE_BYTES_MAX} bytes"),))
    try:
        document = yaml.load(content, Loader=_UniqueKeyLoader)  # a SafeLoader with one more refusal
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(str(path), (Problem("(file)", f"is not YAML: {where}{error.problem}"),)) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(str(path), (Problem("(file)", f"is not YAML: {reason}"),)) from None
    if not isinstance(document, dict):
        raise ConfigError(str(path), (Problem("(file)", "must be a map of sections"),))
    return {str(key): value for key, value in document.items()}


def _overrides(environ: Mapping[str, str], source: str) -> dict[str, Any]:
    prefix = ENVIRONMENT_PREFIX.lower()
    variables = {name.lower(): value for name, value in environ.items() if name.lower().startswith(prefix)}
    unknown = tuple(
        Problem(name.upper(), _unknown_key(name.removeprefix(prefix).split("__")[0], Settings.model_fields))
        for name in sorted(variables)
        if name.removeprefix(prefix).split("__")[0] not in Settings.model_fields
    )
    if unknown:
        raise ConfigError(source, unknown)
    reader = EnvSettingsSource(
        cast(type[BaseSettings], Settings), case_sensitive=False, env_prefix=prefix, env_nested_delimiter="__"
    )
    reader.env_vars = variables
    try:
        overrides = reader()
    except SettingsError as error:
        reason = f"the environment is not understood: {error}; lists and maps are written as JSON"
        raise ConfigError(source, (Problem(ENVIRONMENT_PREFIX + "*", reason),)) from None
    return _with_symbols_upper(overrides)


def _with_symbols_upper(overrides: dict[str, Any]) -> dict[str, Any]:
    """Names of variables lose their case, but those below risk.symbols are symbols."""
    risk = overrides.get("risk")
    if isinstance(risk, dict) and isinstance(risk.get("symbols"), dict):
        symbols = {str(symbol).upper(): limits for symbol, limits in risk["symbols"].items()}
        return overrides | {"risk": risk | {"symbols": symbols}}
    return overrides


def _validated(document: Mapping[str, Any], source: str) -> Settings:
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise ConfigError(source, tuple(_problem(each) for each in details if not _follows(each, details))) from None


def _follows(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether an error only says that a list is short because its refused members do not count."""
    depth = len(detail["loc"])
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > depth and other["loc"][:depth] == detail["loc"] for other in details
    )


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _problem(detail: ErrorDetails) -> Problem:
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return Problem(path, _unknown_key(str(detail["loc"][-1]), _fields_at(detail["loc"][:-1])))
    if detail["type"] == "missing":
        return Problem(path, "is missing")
    if detail["type"] == "value_error":
        return Problem(path or "(settings)", str(detail["ctx"]["error"]))
    shown = repr(detail["input"])
    if len(shown) > _SHOWN_CHARACTERS_MAX:
        shown = shown[:_SHOWN_CHARACTERS_MAX] + "..."
    reason = detail["msg"][0].lower() + detail["msg"][1:]
    return Problem(path, f"{reason} (it is {shown})")


def _fields_at(location: tuple[int | str, ...]) -> Mapping[str, Any]:
    """Field names of the section at `location`, for a suggestion; empty where none is there."""
    model: type[BaseModel] = Settings
    for part in location:
        field = model.model_fields.get(str(part))
        candidates = (field.annotation, *getattr(field.annotation, "__args__", ())) if field else ()
        sections = [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not sections:
            return {}
        model = sections[0]
    return model.model_fields


def _unknown_key(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"unknown key; did you mean {close[0]}?" if close else "unknown key"
