"""The witness: a scripted model and tools that a target uses instead of its own, and that record what it does."""
