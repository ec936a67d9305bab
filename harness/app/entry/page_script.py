"""What Streamlit runs for each session and each change. In a folder of its own: Streamlit puts the
script's folder first among those that are imported from."""

import sys

from harness.app.page import show
from harness.app.settings import Settings

show(Settings.model_validate_json(sys.argv[1]))
