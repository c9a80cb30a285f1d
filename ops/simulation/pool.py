"""Many seeds, one after the other in this process or dealt to worker processes; results come in order of seed."""

from __future__ import annotations

import gc
import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from configs.schema import Settings
from ops.simulation.faults import FaultKind
from ops.simulation.seeds import SeedResult, run_seed

CHUNK = 5
"""Seeds that a worker takes at a time."""

CHUNKS_WAITING_MAX = 4
"""Chunks that wait for each worker, at most."""

WORKERS_MAX = 256

DEATHS_MAX = 5
"""So often worker processes may die (for want of memory, say); what they had not finished is run again."""


def run_many(
    seeds: Sequence[int], settings: Settings, kinds: Sequence[FaultKind], workers: int = 1
) -> Iterator[SeedResult]:
    """Run seeds and yield their results, as ready as their order allows."""
    if workers <= 1:
        with _CollectedBetween():
            for seed in seeds:
                yield run_seed(seed, settings, kinds)
                gc.collect()
        return
    chunks = deque(seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK))
    waiting: deque[tuple[Sequence[int], Future[list[SeedResult]]]] = deque()
    deaths = 0
    while chunks or waiting:
        with ProcessPoolExecutor(min(workers, WORKERS_MAX), multiprocessing.get_context("spawn")) as pool:
            try:
                while chunks or waiting:
                    while chunks and len(waiting) < workers * CHUNKS_WAITING_MAX:
                        chunk = chunks.popleft()
                        waiting.append((chunk, pool.submit(_run_chunk, chunk, settings, kinds)))
                    results = waiting[0][1].result()
                    waiting.popleft()
                    yield from results
            except BrokenProcessPool:
                deaths += 1
                if deaths > DEATHS_MAX:
                    raise
                chunks.extendleft(chunk for chunk, _ in reversed(waiting))
                waiting.clear()
            finally:
                pool.shutdown(cancel_futures=True)


def _run_chunk(seeds: Sequence[int], settings: Settings, kinds: Sequence[FaultKind]) -> list[SeedResult]:
    """What a worker process does."""
    return list(run_many(seeds, settings, kinds))


class _CollectedBetween:
    """Garbage is collected between runs, not in them: a run makes little of it that counting references does not free."""

    def __enter__(self) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()
        gc.unfreeze()
