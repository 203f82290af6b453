"""Tamper evidence: the activity of staff and the security log, chained by hashes. See docs/audit.md."""
