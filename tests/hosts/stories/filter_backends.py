"""A project whose views all filter by its own columns, which sessions do not have."""

from rest_framework.filters import BaseFilterBackend

from .people import Story, get


class OwnedBy(BaseFilterBackend):
    """What the project lists, it lists by owner."""

    def filter_queryset(self, request, queryset, view):
        return queryset.filter(owner=request.user)


class Lists(Story):
    def test_they_are_those_of_the_contract(self):
        self.make("root", is_superuser=True, is_staff=True)
        here, staff = self.sign_in(), self.sign_in("root")
        for path, access in (
            ("/api/sessions", here["access"]),
            ("/api/sessions/history", here["access"]),
            ("/api/sessions/current/activity", here["access"]),
            ("/api/trusted-devices", here["access"]),
            ("/api/admin/sessions", staff["access"]),
        ):
            with self.subTest(path):
                answer = get(path, access)
                self.assertEqual(answer.status_code, 200, answer.content)
