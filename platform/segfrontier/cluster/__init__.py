"""Studies as jobs of a Ray cluster: what is sent there, under which name, and how the job ends.

How a study then runs is not for this room; nothing but the command line may build on it.
"""
