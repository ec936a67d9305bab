"""A trained model as one folder: weights, recipe, thresholds, temperature, preprocessing, card."""
