"""What targets can do beyond running an agent, and what protocols have."""

CAPABILITIES = (
    "resume",
    "stop",
    "threads",
    "multi_connection",
    "text_stream",
    "memory",
    "thinking",
    "seq",
    "idempotency",
    "heartbeat",
    "durable",
)
"""What a target may declare."""

OF_PROTOCOLS = (*CAPABILITIES, "run_ids", "user_ids", "run_access")
"""What a dialect may say that every target of it has."""
