"""Models: the simulated market, labels, training, calibration, forecasts and their evaluation."""
