"""The person at the command line: resumes, again as long as `raymaker resume` says that not everybody has heard it, and once more when
an alert says that something was restricted which the last resume came too early for."""

from __future__ import annotations

from collections.abc import Callable

from actors.runtime.world import World

AGAIN_NS = 1_500_000_000
"""The command tries again after so long, and so does who was told that it failed."""

LOOKED_NS = 4_000_000_000
"""So long after an alert somebody has looked at it."""

TRIES_MAX = 20
"""A supervisor that dies is back long before; then the person gives up."""


class Person:
    """Resumes as the command does: an order that nobody heard changes nothing, and is given again."""

    def __init__(self, world: World, is_heard: Callable[[], bool], lift: Callable[[], bool]) -> None:
        """Join a world.

        Args:
            is_heard: whether there is a supervisor to give an order to.
            lift: give it; whether everybody has heard it on whose word something is held back.
        """
        self._world = world
        self._is_heard = is_heard
        self._lift = lift
        self._order = 0
        self.is_waiting = False
        """Whether an order was given that not everybody has heard."""
        self.gave_up = 0
        """Orders that were not heard however often they were given."""

    def resume(self) -> None:
        """Lift every stop and halt, now or as soon as somebody hears it."""
        self._order += 1
        self._try(self._order, TRIES_MAX)

    def stop(self) -> None:
        """A stop has come since: what is not heard yet is not asked for any more."""
        self._order += 1
        self.is_waiting = False

    def told(self, is_restricted: Callable[[], bool]) -> None:
        """An alert of what only a person lifts. Who has resumed already resumes again, if it restricts still once he has looked at it."""
        if self._order and not self.is_waiting:
            self.is_waiting = True
            self._world.at(self._world.now_ns + LOOKED_NS, self._look, self._order, is_restricted)

    def _look(self, order: int, is_restricted: Callable[[], bool]) -> None:
        if order == self._order:
            self.is_waiting = is_restricted()
            if self.is_waiting:
                self._try(order, TRIES_MAX)

    def _try(self, order: int, tries: int) -> None:
        if order != self._order:
            return
        self.is_waiting = not (self._is_heard() and self._lift())
        if not self.is_waiting:
            return
        if tries == 1:
            self.is_waiting, self.gave_up = False, self.gave_up + 1
            return
        self._world.at(self._world.now_ns + AGAIN_NS, self._try, order, tries - 1)
