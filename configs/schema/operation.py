"""Sections about running the system: inventory, supervision, order path, alerting, links, logs, recording."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from configs.schema.section import Milliseconds, Port, Section


class InventorySettings(Section):
    """How often positions, PnL and equity are told when nothing changes them."""

    report_period_ms: int = Field(default=250, ge=10, le=1_000)


Megabytes = Annotated[int, Field(ge=256, le=1_048_576)]
"""Of resident memory. An actor that does nothing yet has some 130."""


class SupervisionSettings(Section):
    """Health, restarts, memory and shutdown.

    `memory_mb_max` bounds the resident memory of each actor's process, `memory_mb_max_of` that of an actor or a role named there
    (the supervisor is one of them); from `memory_warning_share` of the bound on it is told, above the bound the actor is restarted.
    """

    health_period_ms: Milliseconds = 250
    health_timeout_ms: Milliseconds = 500
    health_misses_max: int = Field(default=2, ge=1, le=100)
    watch_ms: Milliseconds = 10_000
    start_timeout_ms: Milliseconds = 30_000
    drain_timeout_ms: Milliseconds = 8_000
    stop_timeout_ms: Milliseconds = 3_000
    restarts_max: int = Field(default=5, ge=1, le=100)
    restart_window_ms: Milliseconds = 30_000
    restart_delay_ms: int = Field(default=0, ge=0, le=60_000)
    memory_mb_max: Megabytes = 1_000
    memory_mb_max_of: dict[str, Megabytes] = Field(default_factory=dict)
    memory_warning_share: float = Field(default=0.7, gt=0, lt=1)
    snapshot_period_ms: Milliseconds = 500
    metrics_port: Port = 0

    def memory_bytes_max(self, name: str, role: str) -> int:
        """The bound of one actor: its own, else its role's, else everybody's."""
        return self.memory_mb_max_of.get(name, self.memory_mb_max_of.get(role, self.memory_mb_max)) * 1_000_000


class OrderPathSettings(Section):
    """How the processes between a market frame and an order are kept fast.

    `real_time`: their loops are scheduled before every ordinary process, where the system permits it (status says whether).
    `rehearsal_core_share`: the part of one core that each of the three roles, over all shards, may use for walking its way over
    imagined data while nothing happens, so that a real order finds code and data in the processor's caches; 0 for never.
    """

    real_time: bool = True
    rehearsal_core_share: float = Field(default=0.1, ge=0, le=0.5, allow_inf_nan=False)


class AlertingSettings(Section):
    """Where alerts go, and how often the same one may. The webhook's address is a secret: a variable or a private file holds it."""

    webhook_env: str | None = None
    webhook_file: str | None = None
    throttle_ms: Milliseconds = 30_000
    retry_delay_ms: Milliseconds = 1_000
    retry_delay_ms_max: Milliseconds = 60_000
    spool_bytes_max: int = Field(default=4_194_304, ge=65_536, le=1_073_741_824)
    remembered_max: int = Field(default=1_000, ge=10, le=100_000)

    @property
    def has_webhook(self) -> bool:
        """Whether alerts are to be posted."""
        return self.webhook_env is not None or self.webhook_file is not None

    @field_validator("webhook_env")
    @classmethod
    def _name_is_no_address(cls, name: str | None) -> str | None:
        if name is not None and not (name.isascii() and name.isidentifier()):
            raise ValueError("must be the name of an environment variable that holds the address")
        return name

    @model_validator(mode="after")
    def _webhook_is_one(self) -> AlertingSettings:
        if self.webhook_env is not None and self.webhook_file is not None:
            raise ValueError("webhook_env and webhook_file name two places for one address: set one of them")
        return self


class LinkSettings(Section):
    """Bounds of the links between actors."""

    ordered_messages_max: int = Field(default=20_000, ge=10, le=1_000_000)
    frame_bytes_max: int = Field(default=1_048_576, ge=1_024, le=67_108_864)
    reconnect_delay_ms: Milliseconds = 20
    reconnect_delay_ms_max: Milliseconds = 500
    acknowledge_every: int = Field(default=64, ge=1, le=10_000)
    acknowledge_delay_ms: Milliseconds = 50


class RecordingSettings(Section):
    """Flight recordings of mailboxes, for `raymaker replay --recording`: of the actors or roles named; of none unless told.

    At most `files_max` files of about `file_bytes_max` for each actor; the oldest goes.
    """

    actors: tuple[Annotated[str, Field(pattern=r"^[a-z_]{1,20}(-\d{1,2})?$")], ...] = ()
    file_bytes_max: int = Field(default=33_554_432, ge=65_536, le=1_073_741_824)
    files_max: int = Field(default=2, ge=1, le=100)


class LogSettings(Section):
    """One rotating JSON file per actor."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    file_bytes_max: int = Field(default=10_485_760, ge=65_536, le=1_073_741_824)
    files_max: int = Field(default=3, ge=1, le=100)
