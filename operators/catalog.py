"""Every operator there is: one line each, which is how laws, tables and flows find it."""

from typing import Any

from operators.book.bands import BANDS
from operators.book.flow import FLOW, ORDER_FLOW
from operators.book.imbalance import IMBALANCE
from operators.book.ofi import OFI
from operators.book.pressure import PRESSURE
from operators.book.slope import SLOPE
from operators.book.touch import TOUCH
from operators.contract import Feature, Fold, Statistic, Step
from operators.liquidation.counts import COUNTS, LIQUIDATED
from operators.liquidation.normal import NORMAL
from operators.liquidation.repeats import REPEATS
from operators.tape import cvd, variance
from operators.tape.bars import BAR, BARS

PANE_STEPS: tuple[tuple[Step[Any], tuple[Statistic, ...]], ...] = (
    (cvd.CVD, cvd.STATISTICS),
    (variance.VARIANCE, variance.STATISTICS),
)
"""Steps over closed pane rows, in pane order, and the statistics they add to the pane."""

STEPS: tuple[Step[Any], ...] = (
    OFI,
    REPEATS,
    *(step for step, _ in PANE_STEPS),
)

FOLDS: tuple[Fold, ...] = (
    FLOW,
    BARS,
    COUNTS,
)

FEATURES: tuple[Feature, ...] = (
    TOUCH,
    BANDS,
    IMBALANCE,
    SLOPE,
    PRESSURE,
    ORDER_FLOW,
    BAR,
    cvd.CUMULATIVE,
    variance.VARIATION,
    NORMAL,
    LIQUIDATED,
)
