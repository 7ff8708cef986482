"""The express lane: judges what goes by the book in bulk, to the same verdict as operation by operation.

A *stretch* is some consecutive lines of a history in which nothing is remarkable: plain questions, their acceptance,
and events that tell their runs exactly in order. `survey` finds stretches; each check's `screen` says whether it could
find anything in one. Only where none could, `lane` enters it into the world and lets each check `tally` it. Anything
else is fed to the judge one by one.
"""
