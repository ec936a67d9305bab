"""`import_quickly`: torch and what stands on it, imported in two thirds of the time."""

import gc
from importlib import import_module


def import_quickly(*names: str) -> None:
    """Import modules without looking for garbage among what they make, nearly all of which stays.

    Python looks after each 700 new objects; torch, torchvision and timm make a million.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for name in names:
            import_module(name)
    finally:
        if was_enabled:
            gc.enable()
