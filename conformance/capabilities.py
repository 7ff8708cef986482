"""The capabilities that a target may declare: what it can do beyond running an agent."""

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
