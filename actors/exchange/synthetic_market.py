"""Several synthetic contracts as one market, each plain or drawn from a model."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence

from actors.exchange.calibrated import STEP_MS, CalibratedSymbol
from actors.exchange.contracts import Contract
from actors.exchange.frames import Frame
from actors.exchange.market_model import MarketModel
from actors.exchange.scenarios import Phase, Scenario
from actors.exchange.synthetic import CALM, Flow, SyntheticSymbol


class SyntheticMarket:
    """Synthetic symbols, merged by time. `models` are by symbol; a contract without one has the plain flow."""

    def __init__(
        self,
        contracts: list[Contract],
        seed: int,
        flow: Flow | None = None,
        scenario: Scenario = CALM,
        models: Mapping[str, MarketModel] | None = None,
    ) -> None:
        plain = flow if flow is not None else Flow()
        models = models or {}
        self._step_ms = self._hurried_ms = STEP_MS if models else plain.step_ms
        self._symbols = [
            CalibratedSymbol(contract, seed, models[contract.symbol], scenario)
            if contract.symbol in models
            else SyntheticSymbol(contract, seed, plain, scenario)
            for contract in contracts
        ]

    def impose(self, phases: Sequence[Phase], step_ms: int, count: int | None = None) -> None:
        """Let these phases come next on the first `count` symbols (else all), in steps of `step_ms` while they last."""
        self._hurried_ms = step_ms
        for symbol in self._symbols[:count]:
            symbol.impose(phases)

    def frames(self, start_ns: int) -> Iterator[Frame]:
        """All frames from `start_ns` on, without end."""
        for symbol in self._symbols:
            yield symbol.open(start_ns)
        while True:
            hurries = any(symbol.is_imposed for symbol in self._symbols)
            step_ms = self._hurried_ms if hurries else self._step_ms
            steps = [symbol.step(start_ns, step_ms) for symbol in self._symbols]
            yield from heapq.merge(*steps, key=lambda frame: frame.at_ns)
            start_ns += step_ms * 1_000_000
