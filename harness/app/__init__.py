"""The Streamlit app that shows a promoted model: findings, thresholds, Grad-CAM."""
