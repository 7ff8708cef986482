"""Exploration: users take random steps, the checks judge each example, what fails is reduced to a scenario file."""
