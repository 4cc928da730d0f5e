"""What the jobs of a run are up to: why some have to run, what is done, what is left.

``workflow/describe.py`` asks Snakemake; this room only reads what it says and explains it.
"""
