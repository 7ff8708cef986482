"""Exploration: users take random steps, the kit's checks judge each example, and what fails shrinks to a scenario file."""
