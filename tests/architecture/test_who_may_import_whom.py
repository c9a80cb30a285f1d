"""The import rules of the house (DESIGN.md section 2), enforced on the syntax tree of every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHELL_FILES = {"actor.py", "feed.py", "gateway.py", "server.py", "sources.py", "channels.py", "spool.py"}
ROLES = {p.name for p in (ROOT / "actors").iterdir() if p.is_dir() and not p.name.startswith("_")} - {"runtime"}
IMPURE = {
    "ray",
    "asyncio",
    "threading",
    "multiprocessing",
    "time",
    "random",
    "secrets",
    "os",
    "pathlib",
    "shutil",
    "tempfile",
    "socket",
    "ssl",
    "selectors",
    "select",
    "signal",
    "subprocess",
    "logging",
    "sqlite3",
    "http",
    "urllib.request",
    "httpx",
    "websockets",
    "aiohttp",
    "uvloop",
    "loguru",
    "prometheus_client",
}


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def is_pure(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "protocols":
        return True
    return parts[0] == "actors" and len(parts) >= 3 and parts[1] != "runtime" and parts[-1] not in SHELL_FILES


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


ALL_FILES = [p for folder in ("protocols", "configs", "actors", "ops") for p in python_files(folder)]


@pytest.mark.parametrize("path", [p for p in ALL_FILES if is_pure(p)], ids=name_of)
def test_a_pure_file_imports_no_clock_no_randomness_no_io(path: Path) -> None:
    guilty = sorted(m for m in imported_modules(path) if any(within(m, impure) for impure in IMPURE))
    assert guilty == []


@pytest.mark.parametrize("path", [p for p in ALL_FILES if name_of(p).startswith("protocols/")], ids=name_of)
def test_protocols_import_only_the_standard_library_msgspec_and_themselves(path: Path) -> None:
    allowed = set(sys.stdlib_module_names) | {"msgspec", "protocols"}
    assert sorted(m for m in imported_modules(path) if m.split(".")[0] not in allowed) == []


@pytest.mark.parametrize("path", [p for p in ALL_FILES if name_of(p).startswith("actors/")], ids=name_of)
def test_an_actor_knows_no_other_actor_and_no_composition(path: Path) -> None:
    own = path.relative_to(ROOT).parts[1]
    foreign = {f"actors.{role}" for role in ROLES - {own}} | {"ops"}
    assert sorted(m for m in imported_modules(path) if any(within(m, other) for other in foreign)) == []


@pytest.mark.parametrize("path", [p for p in ALL_FILES if is_pure(p) and name_of(p).startswith("actors/")], ids=name_of)
def test_a_pure_file_of_an_actor_imports_only_protocols_the_schema_and_its_own_folder(path: Path) -> None:
    own = f"actors.{path.relative_to(ROOT).parts[1]}"
    allowed = set(sys.stdlib_module_names) | {"msgspec", "protocols", "numpy"}
    guilty = [
        m
        for m in imported_modules(path)
        if m.split(".")[0] not in allowed and not within(m, own) and not within(m, "configs.schema")
    ]
    assert sorted(guilty) == []


@pytest.mark.parametrize("path", ALL_FILES, ids=name_of)
def test_one_file_knows_ray(path: Path) -> None:
    if name_of(path) == "actors/runtime/ray_host.py":
        assert any(within(m, "ray") for m in imported_modules(path))
    else:
        assert not any(within(m, "ray") for m in imported_modules(path))


def test_only_the_composition_names_every_actor() -> None:
    naming = [
        name_of(path)
        for path in ALL_FILES
        if all(
            f"actors.{role}.actor" in path.read_text(encoding="utf-8") for role in ROLES - {"exchange", "supervisor"}
        )
    ]
    assert naming == ["ops/system.py"]


def test_the_import_contracts_of_pyproject_hold() -> None:
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
