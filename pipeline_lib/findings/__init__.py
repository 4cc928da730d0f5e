"""The page of findings: what a run found, in sentences that its tables choose.

Inputs are the CSV files beside the figures, and nothing else. A module of this package turns some
of them into numbers and sentences; `page.write_findings` puts these into `template.md`, whose own
words hold for every run. A sentence that depends on a number is one of a few, and the number
chooses it, by its interval: no rerun can leave a false one.
"""
