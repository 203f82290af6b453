"""django-loginas, as its documents say to install it."""

from .acting import Acting


class LoginAs(Acting):
    def acquire(self, user):
        return self.staff.post(f"/login/user/{user.pk}/")

    def release(self):
        return self.staff.get("/logout/")


del Acting
