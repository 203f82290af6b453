"""People who are not deleted, but hidden: by the manager that everything goes through."""

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models


class Visible(UserManager):
    def get_queryset(self):
        return super().get_queryset().filter(deleted_at=None)


class Person(AbstractUser):
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = Visible()
