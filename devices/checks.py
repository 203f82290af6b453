"""Door at start-up: numbered checks of what would silently weaken the sessions."""
