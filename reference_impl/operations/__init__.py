"""How the engine is, for those who run it: health, metrics, a status page, logs. Nothing here names a user."""
