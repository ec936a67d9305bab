"""How much time and memory the harness itself takes, measured on the machine at hand."""
