"""The kill matrix: every faulty engine is driven by the kit, and must be found out by exactly what it declares."""
