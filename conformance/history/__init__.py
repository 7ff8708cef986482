"""The history of a run of the kit: an append-only list of operations, stored as JSON Lines."""
