"""`raymaker exchange`: the simulated venue as a process of its own, without Ray."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.cli.market import calibrate, compare
from ops.cli.options import FOLLOW_HELP, MODEL_HELP, SCENARIO_NAMES, SHIPPED, parse_follow, parse_symbols
from ops.cli.outcome import bad_usage


def register(app: typer.Typer) -> None:
    """Add the command and what belongs to it."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
    group.callback()(exchange)
    group.command()(calibrate)
    group.command()(compare)
    app.add_typer(group, name="exchange")


def exchange(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port on loopback; 0 chooses a free one. Needed.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append-only ledger; an existing one is loaded. Needed.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A recorded capture; else synthetic flow.")
    ] = None,
    follow: Annotated[str | None, typer.Option(metavar="URL", help="Paper venue: " + FOLLOW_HELP)] = None,
    symbols: Annotated[str | None, typer.Option(metavar="A,B", help="Symbols to list.")] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the synthetic market does: " + SCENARIO_NAMES + ".")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="FILE", help="What the synthetic market draws from. " + MODEL_HELP)
    ] = None,
    speed: Annotated[float | None, typer.Option(help="Speed of the market, 1 to 10 times live.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the synthetic flow and of latencies.")] = None,
    accounts: Annotated[int, typer.Option(min=1, max=1_000, help="How many accounts, each with a key pair.")] = 1,
    record: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write what is served as a capture, which --source can play.")
    ] = None,
    faults: Annotated[
        bool, typer.Option("--faults", help="Let faults be asked for on loopback: POST /raymaker/faults.")
    ] = False,
    fault_seed: Annotated[
        int | None, typer.Option(min=0, help="Draw a schedule of faults from this seed; with --faults.")
    ] = None,
    host: Annotated[str, typer.Option(help="Loopback address to listen on: 127.0.0.1 or ::1.")] = "127.0.0.1",
    changed: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting of the section exchange, as often as wanted: latencies, limits, fees, balances, queue_model, ...",
        ),
    ] = None,
) -> None:
    """Run the simulated venue alone.

    Without Ray, until Ctrl-C; prints its address once it listens.
    """
    if ctx.invoked_subcommand is not None:
        return
    if port is None or ledger is None:
        raise bad_usage("exchange needs --port (0 chooses a free one) and --ledger, a file for what it accepts.")
    from actors.exchange.server import ServerError, serve_forever
    from configs.schema import ExchangeSettings
    from ops.cli.settings import exchange_settings

    listed = parse_symbols(symbols)
    if source is not None and listed is None:
        listed = recorded_symbols(source)
    options: dict[str, Any] = {"port": port, "ledger": str(ledger), "host": host, "faults": faults}
    named = set_values(changed or [])
    given = {
        "source": str(source) if source else None,
        "follow": parse_follow(follow) if follow else None,
        "symbols": listed,
        "speed": speed,
        "scenario": scenario,
        "model": model or (SHIPPED if source is None and follow is None else None),
        "seed": seed,
        "fault_seed": fault_seed,
        "record": str(record) if record else None,
    }
    if both := sorted(set(named) & (set(options) | set(given))):
        raise bad_usage(f"--set {both[0]}: it has an option of its own, --{both[0].replace('_', '-')}.")
    chosen = {name: value for name, value in given.items() if value is not None}
    settings: ExchangeSettings = exchange_settings(options | chosen, named)
    try:
        serve_forever(settings, say=partial(print, flush=True), accounts=accounts)
    except ServerError as error:
        raise bad_usage(f"{error}.") from None


def set_values(changes: list[str]) -> dict[str, Any]:
    """`KEY=VALUE`, each value as YAML has it.

    Raises:
        CommandFailed: bad usage; there is no `=`, the value is no YAML, or a key is there twice.
    """
    import yaml

    found: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if not key or not equals:
            raise bad_usage(f"--set {change}: write KEY=VALUE, for instance --set order_latency_ms=5.")
        if key in found:
            raise bad_usage(f"--set {key}: it is there twice.")
        try:
            found[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise bad_usage(f"--set {change}: the value is no YAML.") from None
    return found


def recorded_symbols(source: Path) -> tuple[str, ...]:
    """The symbols of a recording that the venue can list.

    Raises:
        CommandFailed: bad usage; it is missing, or holds none.
    """
    from actors.exchange.errors import SourceError
    from actors.exchange.sources import open_source
    from configs.schema import ExchangeSettings

    try:
        recorded = open_source(ExchangeSettings(source=str(source), symbols=()))
    except (SourceError, OSError) as error:
        raise bad_usage(f"{error}.") from None
    return tuple(sorted(contract.symbol for contract in recorded.contracts))
