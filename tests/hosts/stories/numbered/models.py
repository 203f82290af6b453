"""People who sign in with the number of a card, which is a row of its own."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class Card(models.Model):
    number = models.IntegerField(primary_key=True)


class Holders(BaseUserManager):
    def create_user(self, number, password, **fields):
        user = self.model(card=Card.objects.create(number=number), **fields)
        user.set_password(password)
        user.save()
        return user


class Holder(AbstractBaseUser, PermissionsMixin):
    card = models.OneToOneField(Card, on_delete=models.CASCADE)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    USERNAME_FIELD = "card"

    objects = Holders()

    def __str__(self):
        # Django's hands out the card, which is no text.
        return str(self.card_id)
