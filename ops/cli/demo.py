"""`raymaker demo`: quote on the built-in simulated venue, show it live, stop with orders confirmed gone, and report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.exchange import recorded_symbols
from ops.cli.options import FOLLOW_HELP, MODEL_HELP, SCENARIO_NAMES, SHIPPED, parse_follow, parse_symbols
from ops.cli.outcome import CommandFailed, bad_usage, unconfirmed
from ops.cli.second_venue import SIMULATED, second_venue

if TYPE_CHECKING:
    from configs.schema import Settings
    from ops.cli.session import Session

DURATION_S = 60.0
DURATION_S_MAX = 30 * 86_400.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    duration: Annotated[
        float, typer.Option(min=0.0, max=DURATION_S_MAX, help="Seconds to quote once the books are synchronised.")
    ] = DURATION_S,
    symbols: Annotated[
        str | None, typer.Option(metavar="A,B", help="Symbols; with --source all of the recording by default.")
    ] = None,
    shards: Annotated[int | None, typer.Option(min=1, help="Shards; 2 gives each of two symbols its own.")] = None,
    source: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A recorded capture, file or folder; else synthetic flow.")
    ] = None,
    follow: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Paper trading: " + FOLLOW_HELP + " `simulated` starts one for it."),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the synthetic market does: " + SCENARIO_NAMES + ".")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="FILE", help="What the synthetic market draws from. " + MODEL_HELP)
    ] = None,
    speed: Annotated[float | None, typer.Option(help="Speed of the market, 1 to 10 times live.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the synthetic flow and of latencies.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as JSON.")] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIR", help="Keep the state here; else it is temporary.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Instead of the demo's own.")] = None,
) -> None:
    """Quote on the built-in simulated venue.

    No keys, no server. Ends on Ctrl-C or after --duration with its orders cancelled and confirmed gone, and a report.
    """
    if report is not None and not report.absolute().parent.is_dir():
        raise bad_usage(f"the folder of --report {report} does not exist.")
    if model is None and source is None and follow is None and config is None:
        model = SHIPPED
    file = config or shipped_config(source, follow)

    def run(folder: Path, followed: str | None) -> None:
        settings = demo_settings(file, source, parse_symbols(symbols), shards, speed, seed, scenario, followed, model)
        if settings.exchange is None:
            raise bad_usage(f"{config} has no simulated venue (section exchange): the demo never trades anywhere else.")
        _run(settings, folder, duration, report, file)

    def run_in(folder: Path) -> None:
        if follow != SIMULATED:
            run(folder, follow)
            return
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--symbols", symbols] if symbols else []
        with second_venue(folder / "followed.jsonl", options) as address:
            run(folder, address)

    if state is not None:
        run_in(state)
        return
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="raymaker-demo-"))
    try:
        run_in(folder)
    except CommandFailed as failure:
        if not (folder / "logs").is_dir() or not any((folder / "logs").iterdir()):
            shutil.rmtree(folder)
            raise
        raise CommandFailed(failure.code, f"{failure.sentence} (logs and journals are kept in {folder})") from None
    shutil.rmtree(folder)


def shipped_config(source: Path | None, follow: str | None) -> Path:
    """The configuration that the demo has of its own, for what its market is."""
    from importlib.resources import files

    name = "paper.yaml" if follow is not None else "replay.yaml" if source is not None else "demo.yaml"
    return Path(str(files("configs").joinpath(name)))


def demo_settings(
    config: Path,
    source: Path | None,
    symbols: tuple[str, ...] | None,
    shards: int | None,
    speed: float | None,
    seed: int | None,
    scenario: str | None = None,
    follow: str | None = None,
    model: str | None = None,
) -> Settings:
    """The demo's configuration under what the command line says.

    Raises:
        CommandFailed: bad usage.
    """
    from ops.cli.settings import settings_from

    exchange: dict[str, Any] = {}
    changes: dict[str, Any] = {"exchange": exchange}
    if source is not None:
        recorded = recorded_symbols(source)
        absent = [symbol for symbol in symbols or () if symbol not in recorded]
        if absent:
            raise bad_usage(f"{absent[0]} is not in {source}, which has {', '.join(recorded)}.")
        symbols = symbols or recorded
        exchange["source"] = str(source.absolute())
    if follow is not None:
        exchange["follow"] = parse_follow(follow)
    if symbols is not None:
        if not symbols:
            raise bad_usage("--symbols names no symbol.")
        changes["symbols"] = symbols
        exchange["symbols"] = symbols
        assets = {asset for symbol in symbols for asset in ("USDC", "USDT") if symbol.endswith(asset)}
        if len(assets) > 1:
            raise bad_usage("--symbols: one margin asset at a time, USDC or USDT.")
        changes["venue"] = {"margin_asset": next(iter(assets), "USDT")}
    if shards is not None:
        changes["shards"] = shards
    if speed is not None:
        exchange["speed"] = speed
    if seed is not None:
        exchange["seed"] = seed
    if model is not None:
        exchange["model"] = model if model in (SHIPPED, "plain") else str(Path(model).absolute())
    if scenario is not None:
        exchange["scenario"] = scenario
    return settings_from(config, changes if len(changes) > 1 or exchange else None)


def _run(settings: Settings, state: Path, duration_s: float, report_file: Path | None, config: Path) -> None:
    from actors.runtime.state_dir import StateDir
    from ops.cli.settings import prepared

    directory = StateDir(state)
    settings = prepared(settings, directory)

    from ops.cli.session import Session
    from ops.cli.table import progress
    from ops.launch import AlreadyRunning, LaunchFailed, StartAbandoned

    session = Session(settings, directory, progress, ends_with_us=True, config_file=str(config.resolve()))
    progress(f"state in {state}: look at it with `raymaker risk --watch --state {state}`; an edit of {config} applies")
    try:
        with session:
            session.start()
            session.watch(duration_s)
    except StartAbandoned:
        progress("stopped before anything was quoted")
        return
    except AlreadyRunning as error:
        raise bad_usage(f"{error}.") from None
    except LaunchFailed as error:
        if session.ending is None:
            raise bad_usage(f"{error}.") from None
        raise unconfirmed(f"{error}; {session.ending.text}.") from None
    _report(session, report_file)


def _report(session: Session, report_file: Path | None) -> None:
    """Print and write the report, and judge the run by it.

    Raises:
        CommandFailed: unconfirmed; an order lives, nobody confirmed that none does, or an invariant is broken.
    """
    from ops.cli.report import print_report, write_report
    from ops.run_files import RunFilesError, report_of_run

    try:
        report = report_of_run(session.state)
    except RunFilesError as error:
        raise unconfirmed(f"there is no report: {error}.") from None
    print_report(report)
    if report_file is not None:
        write_report(report, report_file)
    ending = session.ending
    if not session.ended_elsewhere and (ending is None or not ending.confirmed):
        raise unconfirmed(f"it is not confirmed that no order is left: {ending.text if ending else 'it did not end'}.")
    if report["live_orders_at_end"]:
        raise unconfirmed(f"the venue's ledger has {report['live_orders_at_end']} live orders at the end.")
    broken = [name for name, verdict in report["invariants"].items() if not verdict["held"]]
    if broken:
        raise unconfirmed(f"invariants are broken: {', '.join(broken)}.")
