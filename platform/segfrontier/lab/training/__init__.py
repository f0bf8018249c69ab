"""The training loop and what it is made of: learners, the loader, checkpoints, the log. It is the same for all methods.

What one step computes is an `Objective`, one room up; where workers come from is the business of the labs.
"""
