"""Transports: how frames travel. They know sockets, and nothing of dialects."""
