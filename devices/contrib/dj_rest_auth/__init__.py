"""dj-rest-auth with JWTs: each login, also by registration or another site, is a session."""
