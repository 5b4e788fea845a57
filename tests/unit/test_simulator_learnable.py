"""The simulated market is learnable: what an observer sees foretells bursts on days the model has not met."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.simulator import Settings, coarse, history

HOURS = 12
AHEAD_S = 900


def table(seed: int):
    """Every minute: features known by then, and what is liquidated in the 15 minutes after, in mean depths."""
    h = history(coarse(Settings(seed=seed, symbols=("BTCUSDT", "SOLUSDT"))), 3600 * HOURS)
    usd = h["longs_liquidated"] + h["shorts_liquidated"]
    log_mid = np.log(h["mid"])
    returns = np.diff(log_mid, axis=0, prepend=log_mid[:1])

    def past(x, seconds, at):
        sums = np.vstack([np.zeros(x.shape[1]), np.cumsum(x, axis=0)])
        return sums[at] - sums[at - seconds]

    at = np.arange(7200, 3600 * HOURS - AHEAD_S, 60)
    depth = h["bid_depth"] + h["ask_depth"]
    volatility = [np.log(past(returns**2, s, at)) for s in (300, 1800)]
    rest = [
        np.log1p(past(usd / depth.mean(axis=0), 300, at)),
        np.log(past(depth, 300, at) / past(depth, 7200, at)),
        np.abs(past(h["bid_depth"] - h["ask_depth"], 300, at) / past(depth, 300, at)),
        np.log(h["open_interest"][at - 1] / h["open_interest"][at - 3600]),
        np.abs(h["funding"][at - 1]) * 1e4,
        np.abs(past(returns, 900, at)) * 1e4,
    ]
    features = np.stack(volatility + rest, axis=-1).reshape(-1, 8)
    return features, past(usd / depth.mean(axis=0), AHEAD_S, at + AHEAD_S).reshape(-1)


def test_crowding_depth_and_past_liquidations_beat_prevalence_and_recent_volatility_on_unseen_days():
    train = [table(seed) for seed in (21, 22, 24)]
    threshold = np.quantile(np.concatenate([usd for _, usd in train]), 0.9)
    x, y = np.concatenate([f for f, _ in train]), np.concatenate([usd > threshold for _, usd in train])
    test = [table(seed) for seed in (23, 25)]
    test_x, test_y = np.concatenate([f for f, _ in test]), np.concatenate([usd > threshold for _, usd in test])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(x, y)
    p_burst = model.predict_proba(test_x)[:, 1]
    prevalence = test_y.mean()
    assert 0.01 < prevalence < 0.4
    assert average_precision_score(test_y, p_burst) > 1.5 * prevalence
    assert brier_score_loss(test_y, p_burst) < brier_score_loss(test_y, np.full(len(test_y), y.mean()))
    recent = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(x[:, :2], y)  # realised variance alone
    p_recent = recent.predict_proba(test_x[:, :2])[:, 1]
    assert brier_score_loss(test_y, p_burst) < brier_score_loss(test_y, p_recent)
