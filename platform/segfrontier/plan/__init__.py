"""What a study would cost before anything runs: its methods run in a lab that computes and buys nothing.

How a study really runs is not for this room; nothing but the command line may build on it.
"""
