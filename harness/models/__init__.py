"""The networks: one zoo over timm, their weights and where those come from."""
