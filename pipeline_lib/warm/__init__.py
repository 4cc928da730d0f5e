"""Warm starts: jobs begin in a process that has torch and the other libraries loaded already.

Importing them takes a job two to five seconds of a processor, more than most jobs work. Of a run
with many jobs one process (`server`) imports them once and forks for every further job; the job's
own process (`client`, entered from workflow/start/sitecustomize.py) hands over and waits. Nothing
of this library is loaded before the fork: a job runs the code that lies there when it starts, alone
in its process, as it would without.

Where jobs of one allocation share models (`SHARE_VARIABLE`), those that open one run one after the
other in processes that stay (`resident`): the second finds the model of the first in memory.
"""
