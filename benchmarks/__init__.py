"""Benchmarks: how fast the kit is, and how it compares."""
