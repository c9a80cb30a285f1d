"""Configuration: YAML, environment overrides, and every refusal with its path and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.loading import ConfigError, Problem, load_settings, with_changes
from configs.schema import Settings

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = """
symbols: [BTCUSDC, ETHUSDC]
venue:
  rest_url: http://127.0.0.1:1
  stream_url: ws://127.0.0.1:1
  ws_api_url: ws://127.0.0.1:1/ws-fapi/v1
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def load(config: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    config.write_text(text)
    return load_settings(config, environ or {})


def problems(config: Path, text: str, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(config, text, environ)
    return caught.value.problems


@pytest.mark.parametrize("name", ["demo", "replay", "paper", "binance_demo", "binance_live"])
def test_every_shipped_configuration_is_accepted(name: str) -> None:
    settings = load_settings(ROOT / "configs" / f"{name}.yaml", {})
    assert settings.symbols
    assert settings.venue.live is (name == "binance_live")


def test_the_live_configuration_starts_dry() -> None:
    assert load_settings(ROOT / "configs" / "binance_live.yaml", {}).dry_run is True


def test_every_error_is_listed_with_its_path_and_reason(config: Path) -> None:
    text = MINIMAL + "shard: 2\nstrategy: {levels: 9, order_notional: -5, half_spread_bps_min: .nan, levls: 1}\n"
    assert set(problems(config, text)) == {
        Problem("shard", "unknown key; did you mean shards?"),
        Problem("strategy.levels", "input should be less than or equal to 8 (it is 9)"),
        Problem("strategy.order_notional", "input should be greater than 0 (it is -5)"),
        Problem("strategy.half_spread_bps_min", "input should be a finite number (it is nan)"),
        Problem("strategy.levls", "unknown key; did you mean levels?"),
    }


def test_the_error_reads_as_a_list_under_the_name_of_the_file(config: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config, MINIMAL + "shards: 0\nlogs: {level: LOUD}\n")
    assert str(caught.value) == (
        f"{config}: 2 errors in the configuration\n"
        "  shards: input should be greater than or equal to 1 (it is 0)\n"
        "  logs.level: input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR' (it is 'LOUD')"
    )


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        ("symbols: [BTCUSDC, BTCUSDC]", "symbols", "a symbol is listed twice"),
        ("symbols: [btc-usd]", "symbols.0", "string should match pattern '^[A-Z0-9_]{2,32}$' (it is 'btc-usd')"),
        ("symbols: []", "symbols", "tuple should have at least 1 item after validation, not 0 (it is [])"),
    ],
)
def test_symbols_are_refused(config: Path, text: str, path: str, reason: str) -> None:
    venue = MINIMAL[MINIMAL.index("venue:") :]
    assert problems(config, f"{text}\n{venue}") == (Problem(path, reason),)


@pytest.mark.parametrize("value", ["nan", ".inf", "1e400", "-1", "0"])
def test_money_must_be_a_sane_positive_number(config: Path, value: str) -> None:
    assert [p.path for p in problems(config, MINIMAL + f"risk: {{daily_loss_max: {value}}}\n")] == [
        "risk.daily_loss_max"
    ]


def test_more_shards_than_symbols_are_refused(config: Path) -> None:
    assert problems(config, MINIMAL + "shards: 3\n") == (
        Problem("(settings)", "shards: 3 shards for 2 symbols; at most one shard a symbol"),
    )


def test_what_inventory_repeats_too_seldom_to_be_known_is_refused(config: Path) -> None:
    text = MINIMAL + "inventory: {report_period_ms: 1000}\nrisk: {report_age_ms_max: 1999}\n"
    assert problems(config, text) == (
        Problem("(settings)", "risk.report_age_ms_max must be at least twice inventory.report_period_ms"),
    )


def test_limits_of_a_symbol_that_is_not_traded_are_refused(config: Path) -> None:
    assert problems(config, MINIMAL + "risk: {symbols: {SOLUSDC: {open_orders_max: 1}}}\n") == (
        Problem("(settings)", "risk.symbols.SOLUSDC: not one of symbols (BTCUSDC, ETHUSDC)"),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2\n", "is not YAML: a is written twice (line 2)"),
        ("a: [", "is not YAML: line 1: expected the node content, but found '<stream end>'"),
        ("- 1\n", "must be a map of sections"),
        ("", "must be a map of sections"),
        (
            "a: !!python/object:os.system x\n",
            "is not YAML: line 1: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object:os.system'",
        ),
    ],
)
def test_a_file_that_is_no_map_is_refused(config: Path, text: str, reason: str) -> None:
    assert problems(config, text) == (Problem("(file)", reason),)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "absent.yaml", {})
    assert caught.value.problems == (Problem("(file)", "cannot be read: No such file or directory"),)


def test_a_huge_file_is_refused_unread(config: Path) -> None:
    assert problems(config, "# " + "x" * 1_100_000) == (Problem("(file)", "is longer than 1048576 bytes"),)


def test_the_environment_overrides_the_file(config: Path) -> None:
    environ = {
        "RAYMAKER__STRATEGY__LEVELS": "2",
        "RAYMAKER__RISK__DAILY_LOSS_MAX": "7.5",
        "RAYMAKER__SYMBOLS": '["ETHUSDC"]',
        "RAYMAKER__DRY_RUN": "true",
        "RAYMAKER_SHARED": "is not an override",
    }
    settings = load(config, MINIMAL + "strategy: {levels: 5, level_spacing_bps: 4}\n", environ)
    assert settings.strategy.levels == 2
    assert settings.strategy.level_spacing_bps == 4
    assert str(settings.risk.daily_loss_max) == "7.5"
    assert settings.symbols == ("ETHUSDC",)
    assert settings.dry_run is True


def test_a_symbol_in_the_name_of_a_variable_keeps_its_case(config: Path) -> None:
    settings = load(config, MINIMAL, {"RAYMAKER__RISK__SYMBOLS__BTCUSDC__OPEN_ORDERS_MAX": "3"})
    assert settings.risk.symbols["BTCUSDC"].open_orders_max == 3


@pytest.mark.parametrize(
    ("environ", "path", "reason"),
    [
        ({"RAYMAKER__STRTEGY__LEVELS": "1"}, "RAYMAKER__STRTEGY__LEVELS", "unknown key; did you mean strategy?"),
        ({"RAYMAKER__STRATEGY__LEVLS": "1"}, "strategy.levls", "unknown key; did you mean levels?"),
        (
            {"RAYMAKER__STRATEGY__LEVELS": "many"},
            "strategy.levels",
            "input should be a valid integer, unable to parse string as an integer (it is 'many')",
        ),
    ],
)
def test_a_wrong_override_is_refused(config: Path, environ: dict[str, str], path: str, reason: str) -> None:
    assert problems(config, MINIMAL, environ) == (Problem(path, reason),)


def test_an_override_that_is_not_json_says_what_it_should_be(config: Path) -> None:
    (problem,) = problems(config, MINIMAL, {"RAYMAKER__SYMBOLS": "BTCUSDC"})
    assert problem.path == "RAYMAKER__*"
    assert problem.reason.endswith("lists and maps are written as JSON")


@pytest.mark.parametrize(
    ("urls", "path", "reason"),
    [
        (
            {"RAYMAKER__VENUE__REST_URL": "https://fapi.binance.com"},
            "venue",
            "fapi.binance.com is a live address where money is real: venue.live must be true to use it",
        ),
        (
            {"RAYMAKER__VENUE__WALLET_URL": "https://api.binance.com"},
            "venue",
            "api.binance.com is a live address where money is real: venue.live must be true to use it",
        ),
        (
            {"RAYMAKER__VENUE__WALLET_URL": "http://api.binance.com"},
            "venue.wallet_url",
            "http sends keys in the clear: only https is allowed beyond this machine",
        ),
        (
            {"RAYMAKER__VENUE__STREAM_URL": "wss://unknown.example"},
            "venue",
            "unknown.example is a live address where money is real: venue.live must be true to use it",
        ),
        (
            {"RAYMAKER__VENUE__LIVE": "true"},
            "venue",
            "venue.live is true but 127.0.0.1 is no live address; use live addresses only, or none",
        ),
        (
            {"RAYMAKER__VENUE__REST_URL": "http://demo-fapi.binance.com"},
            "venue.rest_url",
            "http sends keys in the clear: only https is allowed beyond this machine",
        ),
        (
            {"RAYMAKER__VENUE__REST_URL": "ftp://127.0.0.1"},
            "venue.rest_url",
            "must be http://HOST[:PORT] or https://HOST[:PORT], without a query",
        ),
    ],
)
def test_an_address_where_money_or_keys_are_at_risk_is_refused(
    config: Path, urls: dict[str, str], path: str, reason: str
) -> None:
    assert problems(config, MINIMAL, urls) == (Problem(path, reason),)


CAPS = "position_notional_max: 500\norder_notional_max: 150\naccount_notional_max: 1000\ndaily_loss_max: 25\ndrawdown_max: 50\n"
SAMPLE = "hard_caps_file must name a file of hard caps (a sample is configs/live_caps.yaml)"


@pytest.mark.parametrize(
    ("absent", "caps", "reason"),
    [
        ("hard_caps_file: caps.yaml\n", CAPS, SAMPLE),
        ("", CAPS.replace("drawdown_max: 50\n", ""), "caps.yaml must set drawdown_max"),
        (
            "",
            "order_notional_max: 150\ndaily_loss_max: 25\n",
            "caps.yaml must set position_notional_max, account_notional_max, drawdown_max",
        ),
        ("  keys: {file: read.keys}\n", CAPS, "risk.keys must name a key that may only read"),
        (
            "  wallet_url: https://api.binance.com\n",
            CAPS,
            "venue.wallet_url must say where the keys' permissions are asked (https://api.binance.com)",
        ),
    ],
)
def test_real_money_needs_hard_caps_a_key_that_only_reads_and_a_wallet_to_ask(
    config: Path, absent: str, caps: str, reason: str
) -> None:
    (config.parent / "caps.yaml").write_text(caps)
    text = """
symbols: [BTCUSDC]
hard_caps_file: caps.yaml
venue:
  rest_url: https://fapi.binance.com
  stream_url: wss://fstream.binance.com
  ws_api_url: wss://ws-fapi.binance.com/ws-fapi/v1
  wallet_url: https://api.binance.com
  live: true
risk:
  keys: {file: read.keys}
  position_notional_max: 400
"""
    assert absent in text
    assert problems(config, text.replace(absent, "") if absent else text) == (
        Problem("(settings)", f"venue.live is true: {reason}"),
    )


def test_changes_of_the_command_line_go_above_everything(config: Path) -> None:
    settings = load(config, MINIMAL + "exchange: {seed: 3, speed: 2}\n")
    changed = with_changes(settings, {"shards": 2, "exchange": {"seed": 9}}, source="the command line")
    assert (
        changed.shards,
        changed.exchange and changed.exchange.seed,
        changed.exchange and changed.exchange.speed,
    ) == (
        2,
        9,
        2,
    )
    with pytest.raises(ConfigError, match="shards: 9 shards for 2 symbols"):
        with_changes(settings, {"shards": 9}, source="the command line")


def test_settings_survive_the_way_to_an_actor(config: Path) -> None:
    settings = load(config, MINIMAL + "exchange: {}\nrisk: {symbols: {BTCUSDC: {position_notional_max: 12.5}}}\n")
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


FOLLOWING = (
    MINIMAL
    + """
exchange:
  follow:
    rest_url: http://127.0.0.1:2
    stream_url: ws://127.0.0.1:2
"""
)


def test_paper_trading_names_the_public_addresses_of_binance_and_its_own_venue_is_on_this_machine() -> None:
    settings = load_settings(ROOT / "configs" / "paper.yaml", {})
    assert settings.exchange is not None and settings.exchange.follow is not None
    assert settings.exchange.follow.rest_url == "https://fapi.binance.com"
    assert settings.exchange.follow.stream_url == "wss://fstream.binance.com"
    venue = settings.venue
    assert [url.split("//")[1] for url in (venue.rest_url, venue.stream_url)] == ["127.0.0.1:0"] * 2
    assert venue.ws_api_url == "ws://127.0.0.1:0/ws-fapi/v1"
    assert not venue.live


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        (
            {"FOLLOW__REST_URL": "http://fapi.binance.com"},
            "exchange.follow.rest_url",
            "http could be changed on the way: only https is allowed beyond this machine",
        ),
        (
            {"FOLLOW__STREAM_URL": "wss://fstream.binance.com/private"},
            "exchange.follow.stream_url",
            "must be ws://HOST[:PORT] or wss://HOST[:PORT], and no more",
        ),
        (
            {"SOURCE": "capture.gz"},
            "exchange",
            "follow: the market is another venue's or a capture's; give one of follow and source",
        ),
        (
            {"SPEED": "2"},
            "exchange",
            "follow: a followed market goes its own way; scenario, model and speed are not for it",
        ),
    ],
)
def test_a_followed_venue_is_named_soundly_and_is_the_only_market(
    config: Path, changes: dict[str, str], path: str, reason: str
) -> None:
    environ = {f"RAYMAKER__EXCHANGE__{name}": value for name, value in changes.items()}
    assert problems(config, FOLLOWING, environ) == (Problem(path, reason),)


def test_no_address_is_followed_by_default(config: Path) -> None:
    assert problems(config, MINIMAL + "exchange: {follow: {}}") == (
        Problem("exchange.follow.rest_url", "is missing"),
        Problem("exchange.follow.stream_url", "is missing"),
    )
