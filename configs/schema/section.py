"""What every section of the configuration is made of: its base, and the bounds of its common kinds of values."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9_]{2,32}$")]
Milliseconds = Annotated[int, Field(gt=0, le=86_400_000)]
BasisPoints = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]
Money = Annotated[Decimal, Field(gt=0, le=Decimal(10) ** 12, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=0, le=65_535)]


class Section(BaseModel):
    """Base of every section: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
