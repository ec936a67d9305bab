"""Synthetic chest X-rays with known findings: for tests, for the tour and for trying things out."""

from harness.data.phantom.make import make_phantom

__all__ = ["make_phantom"]
