"""Events from identity providers about users who signed in with them. See docs/provider-signals.md."""
