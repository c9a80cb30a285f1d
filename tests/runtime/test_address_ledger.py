"""What one process of an address is told by the venue holds for every process of the node."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from actors.runtime.address_ledger import FRESH_NS, PLACES, AddressLedger, Told

SECOND = 1_000_000_000


def two(tmp_path: Path) -> tuple[AddressLedger, AddressLedger]:
    path = tmp_path / "address.ledger"
    return AddressLedger(path, "order_manager-0"), AddressLedger(path, "market_data-0")


def test_silence_that_one_was_told_is_known_to_the_other(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    assert other.shut_until_ns() == 0
    one.shut(50 * SECOND, banned=False)
    assert other.shut_until_ns() == 50 * SECOND
    other.shut(20 * SECOND, banned=True)
    assert one.shut_until_ns() == 50 * SECOND, "an earlier end does not shorten it"


def test_the_newest_word_on_the_weight_counts_not_the_greatest(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    assert one.newest(SECOND) is None
    one.tell(2_000, 59 * SECOND)
    other.tell(20, 61 * SECOND)
    assert one.newest(62 * SECOND) == Told(20, 61 * SECOND)
    assert one.newest(61 * SECOND + FRESH_NS + 1) is None


def test_telling_the_weight_does_not_end_the_silence(tmp_path: Path) -> None:
    one, other = two(tmp_path)
    one.shut(50 * SECOND, banned=False)
    one.tell(7, SECOND)
    assert other.shut_until_ns() == 50 * SECOND


def test_a_successor_takes_the_place_of_its_name(tmp_path: Path) -> None:
    one, _ = two(tmp_path)
    one.shut(50 * SECOND, banned=False)
    one.close()
    path = tmp_path / "address.ledger"
    for _ in range(3):
        AddressLedger(path, "order_manager-0").close()
    assert AddressLedger(path, "order_manager-0").shut_until_ns() == 50 * SECOND


def test_more_processes_than_places_go_on_alone(tmp_path: Path) -> None:
    path = tmp_path / "address.ledger"
    ledgers = [AddressLedger(path, f"actor-{n}") for n in range(PLACES + 2)]
    ledgers[-1].shut(SECOND, banned=False)
    ledgers[-1].tell(5, SECOND)
    assert ledgers[0].shut_until_ns() == 0


def test_a_file_of_an_earlier_boot_begins_anew(tmp_path: Path) -> None:
    one, _ = two(tmp_path)
    one.shut(50 * SECOND, banned=False)
    one.close()
    path = tmp_path / "address.ledger"
    content = bytearray(path.read_bytes())
    content[:8] = b"earlier!"
    path.write_bytes(bytes(content))
    assert AddressLedger(path, "order_manager-0").shut_until_ns() == 0


def test_it_holds_across_processes(tmp_path: Path) -> None:
    path = tmp_path / "address.ledger"
    here = AddressLedger(path, "inventory")
    code = (
        "import sys; from pathlib import Path; from actors.runtime.address_ledger import AddressLedger;"
        f"AddressLedger(Path({str(path)!r}), 'strategy').shut(7, banned=True)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    assert here.shut_until_ns() == 7
