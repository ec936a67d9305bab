"""Fair hyperparameter search and honest benchmark tables for chest X-ray classifiers.

In Python as on the command line: `harness.search(...)`, `harness.benchmark(...)`. What stands in
`__all__` is documented in `harness.api`, and is imported when it is first asked for.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import (
        Board,
        Checked,
        Explained,
        HarnessError,
        ImageStore,
        Results,
        Run,
        Standing,
        benchmark,
        cancel,
        check_store,
        doctor,
        estimate,
        evaluate,
        explain,
        export,
        gc,
        make_phantom,
        open_model,
        open_results,
        open_run,
        open_search,
        open_store,
        predict,
        prepare,
        prepare_chestmnist,
        promote,
        report,
        retry,
        runs,
        search,
        spaces,
        status,
        stop,
        train,
        winners,
    )

__version__ = version("harness")

__all__ = [
    "Board", "Checked", "Explained", "HarnessError", "ImageStore", "Results", "Run", "Standing",
    "benchmark", "cancel", "check_store", "doctor", "estimate", "evaluate", "explain", "export",
    "gc", "make_phantom", "open_model", "open_results", "open_run", "open_search", "open_store",
    "predict", "prepare", "prepare_chestmnist", "promote", "report", "retry", "runs", "search",
    "spaces", "status", "stop", "train", "winners",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("harness.api"), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Harness(ModuleType):
    """Keeps `harness.search` the function, although a package within is named so, too.

    Importing a package sets it as an attribute of its parent; it is imported all the same.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Harness
