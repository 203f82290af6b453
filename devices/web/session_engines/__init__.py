"""What SESSION_ENGINE may name, one module for each engine of Django's. See `devices.web.session_store`."""
