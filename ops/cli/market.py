"""`raymaker exchange calibrate` and `raymaker exchange compare`: fit the synthetic market on a recording, and compare them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.outcome import bad_usage

if TYPE_CHECKING:
    from actors.exchange.contracts import Contract
    from actors.exchange.market_model import MarketModel
    from actors.exchange.tape import Tape

FRESH_SEED = 2_001
"""Seeds of a comparison begin here; fitting uses others."""

SourceArgument = Annotated[Path, typer.Argument(metavar="SOURCE", help="A recorded capture: a file or a folder.")]
SymbolOption = Annotated[
    str | None, typer.Option("--symbol", metavar="NAME", help="Which one, where there are several.")
]
SeedsOption = Annotated[int, typer.Option(min=2, max=100, help="Synthetic runs of the comparison.")]


def calibrate(
    source: SourceArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The model file to write.")],
    symbol: SymbolOption = None,
    seeds: SeedsOption = 8,
) -> None:
    """Fit a model of a recorded market, write it, and print how close the synthetic market comes.

    Takes some minutes. The file is for --model.
    """
    from actors.exchange.calibration import calibrate
    from actors.exchange.market_model import encode

    contract, tape = _tape(source, symbol)
    began = datetime.fromtimestamp(tape.began_ns // 1_000_000_000, UTC)
    fitted_on = f"{contract.symbol}, {tape.seconds:.0f} s from {began:%Y-%m-%d %H:%M:%S} UTC ({source.name})"
    try:
        model = calibrate(tape, contract, fitted_on, print)
    except ValueError as error:
        raise bad_usage(f"no model can be fitted: {error}.") from None
    try:
        out.write_bytes(encode(model))
    except OSError as error:
        raise bad_usage(f"{out} cannot be written: {error.strerror}.") from None
    print(f"written to {out}")
    _print_comparison(tape, contract, model, seeds)


def compare(
    source: SourceArgument,
    model: Annotated[
        str, typer.Option("--model", metavar="FILE", help="A model file; without it the shipped one.")
    ] = "shipped",
    symbol: SymbolOption = None,
    seeds: SeedsOption = 8,
) -> None:
    """Hold the synthetic market against a recording, statistic by statistic."""
    from actors.exchange.errors import SourceError
    from actors.exchange.sources import read_model

    contract, tape = _tape(source, symbol)
    try:
        read = read_model(model, contract.base_asset)
    except SourceError as error:
        raise bad_usage(f"{error}.") from None
    _print_comparison(tape, contract, read, seeds)


def _tape(source: Path, symbol: str | None) -> tuple[Contract, Tape]:
    """The tape of one symbol of a recording.

    Raises:
        CommandFailed: bad usage; it is missing, holds several symbols and none was named, or too little.
    """
    from actors.exchange.calibration import START_NS
    from actors.exchange.errors import SourceError
    from actors.exchange.sources import open_source
    from actors.exchange.tape import read_tape
    from configs.schema import ExchangeSettings

    wanted = (symbol.upper(),) if symbol else ()
    try:
        recorded = open_source(ExchangeSettings(source=str(source), symbols=wanted, loop=False))
    except (SourceError, OSError) as error:
        raise bad_usage(f"{error}.") from None
    found = {contract.symbol: contract for contract in recorded.contracts}
    names = ", ".join(sorted(found))
    if symbol and symbol.upper() not in found:
        raise bad_usage(f"{symbol} is not in {source}, which has {names}.")
    if len(found) > 1:
        raise bad_usage(f"{source} has {names}: name one with --symbol.")
    (contract,) = found.values()
    frames = [*recorded.opening(START_NS), *recorded.frames(START_NS)]
    try:
        return contract, read_tape(frames, contract)
    except ValueError as error:
        raise bad_usage(f"{error}.") from None


def _print_comparison(tape: Tape, contract: Contract, model: MarketModel, seeds: int) -> None:
    import statistics

    from rich.console import Console
    from rich.table import Table

    from actors.exchange.calibration import synthetic_tapes
    from actors.exchange.market_statistics import figures, markouts, pooled_markouts

    runs = synthetic_tapes(model, contract, range(FRESH_SEED, FRESH_SEED + seeds), tape.seconds)
    table = Table("", "statistic", "recorded", f"synthetic, {seeds} runs", "from run to run")
    rows: list[tuple[Any, ...]] = []
    of_runs = [figures(run) for run in runs]
    for index, figure in enumerate(figures(tape)):
        values = [run[index].value for run in of_runs]
        mean, spread = statistics.mean(values), statistics.stdev(values)
        rows.append((figure.group, figure.name, f"{figure.value:,.4g}", f"{mean:,.4g}", f"± {spread:,.2g}"))
    for recorded, synthetic in zip(markouts(tape), pooled_markouts(runs), strict=True):
        rows.append(
            (
                "markout",
                f"of the makers after {recorded.horizon_s} s (bps)",
                f"{recorded.bps:.3f} ± {recorded.error_bps:.3f}",
                f"{synthetic.bps:.3f} ± {synthetic.error_bps:.3f}",
                "",
            )
        )
    for row in rows:
        table.add_row(*row)
    print(f"{contract.symbol}, {tape.seconds:.0f} s recorded; model fitted on {model.fitted_on}")
    Console(width=130).print(table)
