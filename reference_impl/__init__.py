"""The reference engine: a small multi-user agent backend that keeps every promise of the catalogue.

It speaks the five-event protocol (WIRE.md) and imports nothing of the kit, so that a shared bug cannot pass on
both sides. Start reading at `app.py` (what is wired to what) and `engine.py` (how a run is started).
"""
