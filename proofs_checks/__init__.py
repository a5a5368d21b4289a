"""One file a theorem: what is claimed, the proof step by step, the check, and the negative controls.

Importing these files is cheap, because ``chaosnum list`` does it: the numerics behind ``cn`` load on first use.
"""
