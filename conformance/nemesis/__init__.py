"""Nemesis: what the kit does to the network between a user and the target, and to the target's process."""
