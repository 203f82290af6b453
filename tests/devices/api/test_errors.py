"""Exception handlers of host projects that are no functions of DRF's kind."""

from django.http import JsonResponse
from rest_framework.exceptions import NotFound
from rest_framework.views import APIView

from devices.api.errors import extend_handler


def test_a_handler_may_answer_with_a_response_of_django(rf):
    handler = extend_handler(lambda exc, context: JsonResponse({"problem": exc.default_code}))
    answer = handler(NotFound(), {"view": APIView(), "request": rf.get("/")})
    assert answer.content == b'{"problem": "not_found"}'
