"""A column: the one declaration of a number, from which table, topic schema, tooltip and laws are made."""

import math
from typing import Literal

import msgspec

Dtype = Literal["i8", "f8", "bool", "str", "time"]
"""`time` is nanoseconds since 1970 UTC inside, `DateTime64(3, 'UTC')` in a table."""


class Column(msgspec.Struct, frozen=True):
    """What a published number is; every field but the first three may be empty where it does not apply."""

    name: str
    dtype: Dtype
    meaning: str
    unit: str = ""
    formula: str = ""
    source: str = ""
    sign: str = ""
    null_when: str = ""
    low: float | None = None
    high: float | None = None
    tolerance: float = 0.0
    dollars: bool = False
    """It rests on amounts in US dollars though its unit is another, so it too is null where the quote is none."""

    @property
    def in_dollars(self) -> bool:
        """Whether it is known only where the quote is US dollars."""
        return self.dollars or self.unit == "USD"

    def holds(self, value: object) -> bool:
        """Whether `value` obeys the declaration: null only where allowed, finite, within bounds."""
        if value is None:
            return bool(self.null_when)
        if isinstance(value, bool) or self.dtype in ("str", "bool"):
            return (self.dtype == "bool") == isinstance(value, bool) and (self.dtype == "str") == isinstance(value, str)
        if not isinstance(value, int | float if self.dtype == "f8" else int) or not math.isfinite(value):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
