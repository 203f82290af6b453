"""What a project gives all its views, where it is not for ours."""

from django.test import Client
from rest_framework.filters import BaseFilterBackend
from rest_framework.renderers import BaseRenderer

from .people import Story, bearer, get


class OwnedBy(BaseFilterBackend):
    """What the project lists, it lists by a column that sessions do not have."""

    def filter_queryset(self, request, queryset, view):
        return queryset.filter(owner=request.user)


class Table(BaseRenderer):
    """As that of djangorestframework-csv: a table of what the view has answered, a page or an error."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data, *args, **kwargs):
        return "a,table"


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


class Files(Story):
    def test_format_chooses_whatever_the_projects_own_parameter_for_it_is(self):
        here = bearer(self.sign_in()["access"])
        for asked, accept, kind in (
            ("?format=csv", "*/*", "text/csv"),
            ("?format=json", "*/*", "application/json"),
            ("", "text/csv", "text/csv"),
            ("", "*/*", "application/json"),
        ):
            with self.subTest(asked, accept=accept):
                headers = {**here, "Accept": accept}
                answer = Client().get(f"/api/sessions/history{asked}", headers=headers)
                self.assertEqual(answer.status_code, 200)
                self.assertEqual(answer.headers["Content-Type"].partition(";")[0], kind)

    def test_csv_is_the_whole_file_and_a_refusal_is_json(self):
        here = bearer(self.sign_in()["access"])
        file = Client().get("/api/sessions/history?format=csv", headers=here)
        self.assertIn("attachment", file.headers["Content-Disposition"])
        refused = Client().get("/api/sessions/history?format=csv")
        self.assertEqual(refused.json()["code"], "not_authenticated")
