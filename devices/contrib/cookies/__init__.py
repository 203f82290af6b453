"""Cookies for single-page apps: the refresh token out of reach of scripts. See docs/recipes/cookies.md."""
