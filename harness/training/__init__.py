"""The one training loop: losses, optimizers, schedules, checkpoints, devices."""
