"""The book keeps exactly what was told to it, and its best levels are always the best."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.market_data.book import Book, BookSide

changes = st.lists(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 3)), max_size=40), max_size=30)
levels = st.dictionaries(st.integers(1, 400), st.integers(1, 9), max_size=300)


def model_of(loaded: dict[int, int], diffs: list[list[tuple[int, int]]]) -> dict[int, int]:
    model = dict(loaded)
    for one in diffs:
        for ticks, lots in one:
            if lots:
                model[ticks] = lots
            else:
                model.pop(ticks, None)
    return model


@given(levels, changes, st.sampled_from([1, -1]), st.integers(1, 250))
def test_the_best_levels_are_those_of_a_plain_dict(
    loaded: dict[int, int], diffs: list[list[tuple[int, int]]], sign: int, count: int
) -> None:
    side = BookSide(sign, levels_max=1_000)
    side.load(list(loaded.items()))
    for one in diffs:
        side.apply(one)
    model = model_of(loaded, diffs)
    ordered = sorted(model.items(), key=lambda level: level[0] * sign)
    assert side.top(count) == ordered[:count]
    assert len(side) == len(model)
    assert side.best_ticks() == (ordered[0][0] if ordered else None)


@given(levels, changes, st.sampled_from([1, -1]), st.integers(1, 400))
def test_levels_behind_a_price_are_the_best_of_those_strictly_worse(
    loaded: dict[int, int], diffs: list[list[tuple[int, int]]], sign: int, limit: int
) -> None:
    side = BookSide(sign, levels_max=1_000)
    side.load(list(loaded.items()))
    for one in diffs:
        side.apply(one)
    behind = [level for level in model_of(loaded, diffs).items() if level[0] * sign > limit * sign]
    assert side.top_behind(limit, 4) == sorted(behind, key=lambda level: level[0] * sign)[:4]


@given(changes, st.sampled_from([1, -1]))
def test_a_side_never_outgrows_its_bound_and_gives_up_the_farthest(
    diffs: list[list[tuple[int, int]]], sign: int
) -> None:
    side = BookSide(sign, levels_max=50)
    for one in diffs:
        side.apply(one)
        assert len(side) <= 50
    kept = side.top(50)
    assert kept == sorted(kept, key=lambda level: level[0] * sign)


def test_a_bound_that_was_passed_is_counted() -> None:
    side = BookSide(1, levels_max=100)
    side.load([(ticks, 1) for ticks in range(1, 151)])
    assert (len(side), side.trimmed) == (80, 70)
    assert side.top(200) == [(ticks, 1) for ticks in range(1, 81)]


def test_many_levels_gone_at_once_bring_up_the_far_ones() -> None:
    side = BookSide(-1, levels_max=1_000)
    side.load([(ticks, ticks) for ticks in range(1, 501)])
    side.apply([(ticks, 0) for ticks in range(300, 501)])
    assert side.top(3) == [(299, 299), (298, 298), (297, 297)]


def test_removing_an_unknown_level_changes_nothing() -> None:
    book = Book(100)
    book.load([(99, 1)], [(101, 1)])
    book.apply([(50, 0)], [(150, 0)])
    assert (book.bids.top(5), book.asks.top(5)) == ([(99, 1)], [(101, 1)])


def test_a_fault_names_an_empty_side_and_a_crossing() -> None:
    book = Book(100)
    assert book.fault() == "no bids"
    book.apply([(99, 1)], [])
    assert book.fault() == "no asks"
    book.apply([], [(99, 2)])
    assert book.fault() == "crossed: bid 99 >= ask 99 ticks"
    book.apply([], [(99, 0), (100, 2)])
    assert book.fault() == ""
    book.clear()
    assert book.fault() == "no bids"
