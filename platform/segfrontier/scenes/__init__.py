"""Scenes and worlds: images with whatever truth their dataset holds, and how datasets become worlds.

What of the truth a method may see, and what it costs, is the market's to say.
"""
