"""Polls identity providers for their events, from cron."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from devices.contrib.providers import polling
from devices.contrib.providers.polling import Away
from devices.contrib.providers.trust import KeysAway, providers


class Command(BaseCommand):
    help = (
        "Ask the identity providers that do not push for security events (RFC 8936), and end the sessions "
        "that these name. Run it once a minute. Fails if a provider did not answer."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        away = []
        for provider in providers():
            if provider.poll is None:
                continue
            try:
                ended = polling.poll(provider)
            except (Away, KeysAway) as error:
                self.stderr.write(f"{provider.name}: {error}")
                away.append(provider.name)
            else:
                self.stdout.write(f"{provider.name}: {ended} sessions ended")
        if away:
            raise CommandError(f"No answer of: {', '.join(away)}.")
