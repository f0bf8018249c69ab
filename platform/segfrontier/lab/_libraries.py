"""The large libraries, loaded before whatever else imports them, while Python's collector rests.

They make a million objects that stay. The collector would look through all of them again and again: a third of the
time that a process takes to start, and of what it then spends on objects of its own.
"""

import atexit
import gc

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_enabled = gc.isenabled()
gc.disable()
try:
    import timm as timm
    import torch as torch
finally:
    gc.freeze()  # what is here now is not looked at again,
    atexit.register(gc.unfreeze)  # but for the end, where some libraries count what was left
    if _enabled:
        gc.enable()
