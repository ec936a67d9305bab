"""Is a store fit to be trained and tested on? Checks of its tables, its images and a split."""

from harness.data.checks.check import CHECKS, check_store
from harness.data.checks.page import write_report
from harness.data.checks.report import Check, StoreReport, Verdict

__all__ = ["CHECKS", "Check", "StoreReport", "Verdict", "check_store", "write_report"]
