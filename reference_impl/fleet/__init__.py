"""Several engine processes that act as one: what they share is Redis and the journal, nothing else."""
