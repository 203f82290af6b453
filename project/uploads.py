"""No page of the site takes files."""

from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.uploadhandler import FileUploadHandler


class NoFiles(FileUploadHandler):
    """Answer 400 to a form with a file in it, before any of the file is written to the disk."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise SuspiciousFileOperation("No files are taken here.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        return None

    def file_complete(self, file_size: int) -> None:
        return None
