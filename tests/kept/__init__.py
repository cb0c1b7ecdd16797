"""States that released versions have made, with what every command said of them: later versions must go on from there.

`v0_1` was written by the program of 0.1 with ``python -m tests.kept``, and is never written anew: a later version adds
a folder of its own. Everything here speaks to the program through its command line, so that the engine may be rebuilt.
"""
