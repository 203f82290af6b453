"""Integrations with other packages, one module or package each. None of them is imported by the core."""
