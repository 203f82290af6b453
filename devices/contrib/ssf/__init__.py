"""Shared Signals (SSF 1.0, CAEP 1.0): sends events about sessions to other services. See docs/ssf.md."""
