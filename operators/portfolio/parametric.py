r"""Parametric tail loss: Gaussian, Cornish-Fisher, component and filtered historical. Losses are positive.

    Gaussian VaR = -(m + z s)      ES = -m + s phi(z) / a      modified VaR = -(m + h s)
    h = z + (z^2 - 1) S / 6 + (z^3 - 3 z) K / 24 - (2 z^3 - 5 z) S^2 / 36
    component_i = w_i (-m_i - z (C w)_i / s_p)       filtered: historical VaR of r_i s_T / s_i

m, s, S, K: mean, standard deviation, skewness, excess kurtosis of the returns, population moments (ddof 0); C: their
sample covariance (ddof 1), the convention of PerformanceAnalytics for portfolios. z: the a-quantile of the normal.
The Cornish-Fisher h is only monotone in z for mild S and K; outside, `modified` is NaN (Maillard 2012).
Sources: Zangari (1996); Favre & Galeano (2002); Boudt et al. (2008); Hull & White (1998).
"""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from operators.portfolio.tail_loss import historical

F8 = NDArray[np.float64]
_NORMAL = NormalDist()


def gaussian(returns: F8, tail: float) -> float:
    """Gaussian value at risk.

    >>> round(gaussian(np.array([-0.01, 0.01]), 0.05), 6)
    0.016449
    """
    return -float(returns.mean() + _NORMAL.inv_cdf(tail) * returns.std())


def gaussian_shortfall(returns: F8, tail: float) -> float:
    """Gaussian expected shortfall.

    >>> round(gaussian_shortfall(np.array([-0.01, 0.01]), 0.05), 6)
    0.020627
    """
    return float(-returns.mean() + returns.std() * _NORMAL.pdf(_NORMAL.inv_cdf(tail)) / tail)


def modified(returns: F8, tail: float) -> float:
    """Cornish-Fisher value at risk; NaN where the expansion is not monotone at the quantile used, or s is 0.

    >>> round(modified(np.array([-0.01, 0.01]), 0.05), 6)
    0.016852
    """
    z, spread = _NORMAL.inv_cdf(tail), returns.std()
    if spread == 0:
        return float("nan")
    u = (returns - returns.mean()) / spread
    skew, kurtosis = float((u**3).mean()), float((u**4).mean() - 3)
    h = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * kurtosis / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    slope = 1 + z * skew / 3 + (3 * z**2 - 3) * kurtosis / 24 - (6 * z**2 - 5) * skew**2 / 36
    return -float(returns.mean() + h * spread) if slope > 0 else float("nan")


def components(returns: F8, weights: F8, tail: float) -> F8:
    """Gaussian value at risk by position; they sum to the portfolio's. `returns` by time and position.

    >>> parts = components(np.array([[0.01, 0.0], [-0.01, 0.01], [0.0, -0.01]]), np.array([0.5, 0.5]), 0.05)
    >>> parts.round(6).tolist()
    [0.004112, 0.004112]
    """
    covered = np.cov(returns, rowvar=False) @ weights
    share = covered / np.sqrt(weights @ covered)
    return np.asarray(-weights * (returns.mean(axis=0) + _NORMAL.inv_cdf(tail) * share))


def filtered(returns: F8, volatility: F8, volatility_now: float, tail: float) -> float:
    """Historical value at risk of returns scaled from the volatility of their time to today's.

    >>> round(filtered(np.array([0.01, -0.02]), np.array([0.01, 0.02]), 0.02, 0.5), 12)
    -0.0
    """
    return historical(returns * volatility_now / volatility, tail)
