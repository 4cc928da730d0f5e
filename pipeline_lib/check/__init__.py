"""Whether what a run left is whole: checksums, shapes, provenance, and what repairs the rest.

Nothing here changes a file, but for temporary ones that nobody owns, when that is asked for.
"""

from pipeline_lib.check.leftovers import Leftover, find_leftovers, lock_state, remove_leftovers
from pipeline_lib.check.report import report_text
from pipeline_lib.check.survey import Finding, Survey, check_folders

__all__ = [
    "Finding",
    "Leftover",
    "Survey",
    "check_folders",
    "find_leftovers",
    "lock_state",
    "remove_leftovers",
    "report_text",
]
