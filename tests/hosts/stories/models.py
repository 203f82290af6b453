from django.contrib.auth import get_user_model


class Customer(get_user_model()):
    """A proxy of the user model, as many projects have one for their admin."""

    class Meta:
        proxy = True
