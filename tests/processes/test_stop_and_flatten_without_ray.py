"""`emergency-stop --direct --flatten` from the command line against the venue as a process of its own: no Ray, no actor."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import yaml

from actors.exchange.server import DEMO_KEY, DEMO_SECRET
from actors.runtime.ray_cluster import write_durably
from actors.runtime.state_dir import StateDir
from configs.keys import ApiKeys, write_key_file
from configs.loading import load_settings
from ops.direct_venue import DirectVenue
from protocols.binance_usdm.signing import HmacSigner
from protocols.messages.control import SystemPlan

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]
HANGING_ORDER_MANAGER = """
import os, signal, sys
from pathlib import Path
from actors.runtime.journal import Journal
journal = Journal(Path(sys.argv[1]))
print("holds", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def command(*arguments: str) -> list[str]:
    code = f"import sys; sys.argv = {['raymaker', *arguments]!r}; from ops.cli.main import main; main()"
    return [sys.executable, "-c", code]


def raymaker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


class Market:
    """A running venue with an account that has orders and positions, and the configuration that names it."""

    def __init__(self, folder: Path, port: int) -> None:
        url = f"127.0.0.1:{port}"
        key_file = folder / "venue.keys"
        write_key_file(key_file, DEMO_KEY, DEMO_SECRET)
        self.config = folder / "stop.yaml"
        self.config.write_text(
            yaml.safe_dump(
                {
                    "name": "stop",
                    "symbols": ["BTCUSDC", "ETHUSDC"],
                    "venue": {
                        "rest_url": f"http://{url}",
                        "stream_url": f"ws://{url}",
                        "ws_api_url": f"ws://{url}/ws-fapi/v1",
                        "keys": {"file": str(folder / "no trading key here")},
                        "stop_keys": {"file": str(key_file)},
                    },
                    "flatten": {"urgency": "crossing"},
                }
            )
        )
        self.client = DirectVenue(f"http://{url}", ApiKeys(DEMO_KEY, HmacSigner(DEMO_SECRET)), 3_000)

    def trade(self) -> None:
        """Open a long and a short position, and leave an order on each symbol."""
        for symbol, side, quantity, away in (("BTCUSDC", "BUY", "0.020", "0.98"), ("ETHUSDC", "SELL", "0.300", "1.02")):
            market = [("symbol", symbol), ("side", side), ("type", "MARKET"), ("quantity", quantity)]
            self.client.place(market, 5_000)
            price = (self.client.mark_price(symbol) * Decimal(away)).quantize(Decimal("0.1"))
            limit = [("type", "LIMIT"), ("timeInForce", "GTC"), ("price", str(price)), ("quantity", quantity)]
            self.client.place([("symbol", symbol), ("side", side), *limit], 5_000)

    def is_clear_and_flat(self) -> bool:
        open_orders = [self.client.open_orders(symbol) for symbol in ("BTCUSDC", "ETHUSDC")]
        return not any(open_orders) and not any(self.client.positions().values())


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("venue")
    started = command("exchange", "--port", "0", "--ledger", str(folder / "ledger"))
    with subprocess.Popen(started, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = next(found for line in process.stdout if (found := re.search(r"127\.0\.0\.1:(\d+)", line)))
        running = Market(folder, int(told[1]))
        yield running
        process.send_signal(signal.SIGINT)


def test_with_the_order_manager_hung_and_ray_down_it_is_killed_cleared_and_flattened(
    market: Market, tmp_path: Path
) -> None:
    state = StateDir(tmp_path / "state").create()
    settings = load_settings(market.config, {})
    plan = SystemPlan(children=(), settings_json=settings.model_dump_json(), epoch_floor=0, state_dir=str(state.path))
    write_durably(state.plan_file, msgspec.msgpack.encode(plan))
    market.trade()
    assert not market.is_clear_and_flat()
    hanging = [sys.executable, "-c", HANGING_ORDER_MANAGER, str(state.journal(0))]
    with subprocess.Popen(hanging, cwd=ROOT, stdout=subprocess.PIPE) as manager:
        assert manager.stdout is not None and manager.stdout.readline() == b"holds\n"
        done = raymaker("emergency-stop", "--direct", "--flatten", "--state", str(state.path))
        assert manager.wait(5) == -signal.SIGKILL
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"order_manager-0 (pid {manager.pid}) is killed" in done.stdout
    answers = [line.split()[0] for line in done.stdout.splitlines() if line.startswith(("SHUT", "CLEAR", "FLAT"))]
    assert answers == ["SHUT:", "CLEAR", "FLAT"]
    assert market.is_clear_and_flat()
    assert state.stop_file.exists()


def test_another_host_needs_the_configuration_alone(market: Market, tmp_path: Path) -> None:
    market.trade()
    away = str(tmp_path / "nothing")
    done = raymaker("flatten", "ethusdc", "--direct", "--config", str(market.config), "--state", away)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "what trades elsewhere is not stopped by this" in done.stdout
    assert {symbol for symbol, held in market.client.positions().items() if held} == {"BTCUSDC"}
    assert raymaker("flatten", "--direct", "--config", str(market.config), "--state", away).returncode == 0
    assert market.is_clear_and_flat()
