"""Images and tables to an ImageStore, its splits, and batches of it for the trainer."""
