"""Predictions to metrics, thresholds, calibration and figures; never touches a network."""
