"""Winners to final runs to the comparison table and its figures."""
