"""The verbs of the command line, one file each; `verbs` puts them together.

They read words and show answers; what a verb does belongs to the rooms below, and no room imports this one.
"""
