"""Studies: the study file, the cells it means, their keys and their order, and running them one by one or on Ray Tune.

What one stage does belongs to the lab, and what finished cells say to the report.
"""
