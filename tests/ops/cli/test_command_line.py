"""The command line: exit codes, and one clear sentence on stderr instead of a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from ops.cli.app import app
from ops.cli.main import shut_first

ROOT = Path(__file__).resolve().parents[3]
CONFIGS = ROOT / "configs"
NO_KEYS = {"RAYMAKER_API_KEY": "", "RAYMAKER_API_SECRET": ""}


class Ran:
    """One command line, run in this process."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        result = CliRunner().invoke(app, list(arguments), env={**NO_KEYS, **(env or {})})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr


def refused(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    ran = Ran(*arguments, env=env)
    assert ran.out == ""
    return ran.code, ran.err


def emergency_stop_options() -> list[list[str]]:
    command = typer.main.get_command(app).commands["emergency-stop"]  # type: ignore[attr-defined]
    return [parameter.opts for parameter in command.get_params(typer.Context(command))]


def test_help_lists_every_command_without_loading_anything_heavy() -> None:
    code = (
        "import sys; sys.argv = ['raymaker', '--help']\n"
        "from ops.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('ray', 'pydantic', 'msgspec', 'httpx', 'aiohttp', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    for command in (
        *("demo", "up", "down", "status", "orders", "positions", "fills", "alerts", "start", "stop", "restart"),
        *("emergency-stop", "flatten", "resume", "exchange", "validate"),
    ):
        assert f"  {command} " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_validate_prints_the_resolved_settings() -> None:
    ran = Ran("validate", "--config", str(CONFIGS / "demo.yaml"), "--json", env={"RAYMAKER__STRATEGY__LEVELS": "2"})
    shown = json.loads(ran.out)
    assert ran.code == 0
    assert (shown["symbols"], shown["strategy"]["levels"]) == (["BTCUSDC", "ETHUSDC"], 2)


def test_validate_prints_the_bounds_that_follow_from_the_settings() -> None:
    ran = Ran("validate", "--config", str(CONFIGS / "demo.yaml"), "--json")
    bounds = json.loads(ran.out)["bounds"]
    assert bounds["dead_quotes_gone_s"] == bounds["countdown_period_s"] + 1
    assert bounds["countdown_weight_1m"] <= 0.2 * bounds["weight_of_a_shard_1m"]
    assert bounds["lost_order_found_s"] <= 10
    told = Ran("validate", "--config", str(CONFIGS / "demo.yaml")).out
    assert f"#   dead_quotes_gone_s: {bounds['dead_quotes_gone_s']}" in told


def test_validate_hides_secrets() -> None:
    env = {
        "RAYMAKER__ALERTING__WEBHOOK_ENV": "ALERT_HOOK",
        "ALERT_HOOK": "https://hooks.example/T000/secret-token",
        "RAYMAKER_API_KEY": "secret-key",
        "RAYMAKER_API_SECRET": "secret-secret",
    }
    ran = Ran("validate", "--config", str(CONFIGS / "binance_demo.yaml"), env=env)
    assert ran.code == 0
    assert "secret-" not in ran.out
    assert "webhook_env: ALERT_HOOK" in ran.out


def test_validate_prints_every_error_with_its_path(tmp_path: Path) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text((CONFIGS / "demo.yaml").read_text() + "shards: 0\nlogs: {level: LOUD, lvl: 1}\n")
    assert refused("validate", "--config", str(config)) == (
        2,
        f"raymaker: {config}: 3 errors in the configuration\n"
        "  shards: input should be greater than or equal to 1 (it is 0)\n"
        "  logs.level: input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR' (it is 'LOUD')\n"
        "  logs.lvl: unknown key; did you mean level?\n",
    )


def test_a_missing_option_is_bad_usage() -> None:
    ran = Ran("up")
    assert ran.code == 2
    assert "--config" in ran.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            [],
            "https://fapi.binance.com trades real money: say --live main to start on that account (it was not given).",
        ),
        (
            ["--live", "other"],
            "https://fapi.binance.com trades real money: say --live main to start on that account (not --live other).",
        ),
    ],
)
def test_a_live_venue_must_be_asked_for_by_the_accounts_alias(arguments: list[str], sentence: str) -> None:
    config = str(CONFIGS / "binance_live.yaml")
    assert refused("up", "--config", config, *arguments) == (2, f"raymaker: {sentence}\n")


def test_an_alias_for_a_venue_that_is_not_live_is_a_mistake() -> None:
    assert refused("up", "--config", str(CONFIGS / "binance_demo.yaml"), "--live", "demo") == (
        2,
        "raymaker: --live demo was given but venue.live is false in the configuration.\n",
    )


def test_a_missing_key_is_one_sentence_before_anything_is_started(tmp_path: Path) -> None:
    config = str(CONFIGS / "binance_demo.yaml")
    assert refused("up", "--config", config, "--state", str(tmp_path / "state")) == (
        2,
        "raymaker: no API key: set RAYMAKER_API_KEY and RAYMAKER_API_SECRET, or name a key file in venue.keys.file "
        "(RAYMAKER__VENUE__KEYS__FILE).\n",
    )


@pytest.mark.parametrize("command", ["status", "orders", "positions", "fills", "alerts", "down", "resume"])
def test_a_command_for_a_system_that_does_not_run_exits_with_3(command: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert refused(command, "--state", str(state)) == (
        3,
        f"raymaker: nothing is running on {state}: start it with `raymaker up`, or choose another --state.\n",
    )


@pytest.mark.parametrize("command", ["start", "stop", "restart"])
def test_a_command_for_an_actor_needs_a_running_system_and_a_known_name(command: str, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    assert refused(command, "strategy", "--state", state)[0] == 3
    assert refused(command, "trader", "--state", state) == (
        2,
        "raymaker: trader is no actor: name one of alerting, inventory, risk_monitor, order_manager, market_data, "
        "strategy, or one shard's such as strategy-0.\n",
    )


def test_an_emergency_stop_on_no_state_directory_says_so(tmp_path: Path) -> None:
    state = tmp_path / "absent"
    assert refused("emergency-stop", "--state", str(state)) == (
        3,
        f"raymaker: {state} is no state directory: name the system's with --state.\n",
    )


def test_an_emergency_stop_shuts_the_gates_before_it_can_fail(tmp_path: Path) -> None:
    ran = Ran("emergency-stop", "--direct", "--state", str(tmp_path), "--reason", "enough")
    assert (tmp_path / "STOP").read_text() == "enough\n"
    assert ran.code == 3
    assert ran.out == (
        f"SHUT: {tmp_path / 'STOP'} is written; every gate on this node refuses.\nno order manager runs here.\n"
    )
    assert ran.err == (
        f"raymaker: {tmp_path} holds no plan of a system: name the venue and the symbols with --direct --config FILE.\n"
    )


def test_the_stop_file_is_there_before_ray_or_any_client_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "heavy = ('ray', 'httpx', 'websockets', 'aiohttp', 'msgspec', 'pydantic', 'yaml', 'psutil', 'typer', 'rich')\n"
        "def hook(event, args):\n"
        "    if event == 'open' and str(args[0]).endswith('/STOP'):\n"
        "        print('written with', [m for m in heavy if m in sys.modules], flush=True)\n"
        "sys.addaudithook(hook)\n"
        f"sys.argv = ['raymaker', 'emergency-stop', '--state', {str(tmp_path)!r}]\n"
        "from ops.cli.main import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("written with []\n")
    assert f"SHUT: {tmp_path / 'STOP'} is written" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--stat", "x"],
        ["--reason"],
        ["--config", "x.yaml"],
        ["--direct", "nonsense"],
    ],
)
def test_an_emergency_stop_that_is_not_understood_stops_nothing(tmp_path: Path, arguments: list[str]) -> None:
    shut_first(["emergency-stop", *arguments], str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_every_option_of_an_emergency_stop_is_understood_before_anything_is_imported(tmp_path: Path) -> None:
    options = [o for p in emergency_stop_options() for o in p]
    assert sorted(options) == ["--config", "--direct", "--flatten", "--help", "--reason", "--state"]
    arguments = ["--direct", "--flatten", "--config", "c", f"--state={tmp_path}", "--reason", "enough"]
    shut_first(["emergency-stop", *arguments], "elsewhere")
    assert (tmp_path / "STOP").read_text() == "enough\n"


@pytest.mark.parametrize("symbol", ["DOGEUSDC", "btc"])
def test_a_flatten_of_a_symbol_that_is_not_traded_stops_nothing(tmp_path: Path, symbol: str) -> None:
    arguments = ("--direct", "--config", str(CONFIGS / "demo.yaml"), "--state", str(tmp_path))
    assert refused("flatten", symbol, *arguments) == (
        2,
        f"raymaker: {symbol} is not one of the system's symbols: BTCUSDC, ETHUSDC.\n",
    )
    assert not (tmp_path / "STOP").exists()


def test_a_direct_stop_without_keys_says_what_to_set(tmp_path: Path) -> None:
    arguments = ("--direct", "--config", str(CONFIGS / "binance_demo.yaml"), "--state", str(tmp_path / "absent"))
    ran = Ran("emergency-stop", *arguments)
    told = "raymaker: the venue cannot be asked: no API key: set RAYMAKER_API_KEY"
    assert (ran.code, ran.err.startswith(told)) == (2, True)
    assert "no gate is shut here, and what trades elsewhere is not stopped by this" in ran.out


def test_a_direct_stop_that_cannot_reach_the_venue_is_not_confirmed(tmp_path: Path) -> None:
    env = {
        "RAYMAKER_API_KEY": "k",
        "RAYMAKER_API_SECRET": "s",
        "RAYMAKER__VENUE__REST_URL": "http://127.0.0.1:9",
        "RAYMAKER__ORDER_MANAGER__WINDOW_MS": "100",
        "RAYMAKER__ORDER_MANAGER__DEAD_SLACK_MS": "1",
        "RAYMAKER__EXCHANGE": "null",
    }
    arguments = ("--direct", "--config", str(CONFIGS / "demo.yaml"), "--state", str(tmp_path))
    ran = Ran("emergency-stop", *arguments, env=env)
    assert ran.code == 4
    assert ran.err.startswith("raymaker: after 10 looks the venue does not confirm that nothing is open: BTCUSDC: ")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--speed", "99"], "exchange.speed: input should be less than or equal to 10 (it is 99.0)"),
        (["--shards", "3"], "(settings): shards: 3 shards for 2 symbols; at most one shard a symbol"),
    ],
)
def test_an_absurd_option_of_the_demo_is_refused(arguments: list[str], reason: str) -> None:
    code, sentence = refused("demo", *arguments)
    assert (code, sentence.endswith(f"1 error in the configuration\n  {reason}\n")) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--symbols", ","], "--symbols names no symbol."),
        (["--symbols", "BTCUSDC,ETHUSDT"], "--symbols: one margin asset at a time, USDC or USDT."),
        (["--report", "/absent/folder/out.json"], "the folder of --report /absent/folder/out.json does not exist."),
    ],
)
def test_options_of_the_demo_that_make_no_sense_are_refused(arguments: list[str], sentence: str) -> None:
    assert refused("demo", *arguments) == (2, f"raymaker: {sentence}\n")


def test_the_demo_never_trades_on_a_venue_that_it_did_not_start() -> None:
    config = str(CONFIGS / "binance_demo.yaml")
    assert refused("demo", "--config", config) == (
        2,
        f"raymaker: {config} has no simulated venue (section exchange): the demo never trades anywhere else.\n",
    )
