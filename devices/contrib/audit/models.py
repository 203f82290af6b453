"""The chain of what staff did."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from devices.models import PrimaryModel


class ChainLink(PrimaryModel):
    """One link of the chain. Written by `sealing` alone, never changed but for salts that are dropped.

    It commits to a line of the activity log, or tells that lines were erased or links deleted.
    """

    # 1, 2, 3, … without a gap. That two processes append at once is found by it.
    position = models.BigIntegerField(primary_key=True)
    # Of the line, which is deleted later; without a constraint.
    activity_id = models.BigIntegerField(null=True, unique=True)
    sealed_at = models.DateTimeField(db_index=True)
    body = models.JSONField()
    # Without its salt nothing can be found out of a commitment by trying.
    salts = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta(PrimaryModel.Meta):
        verbose_name = _("chain link")
        verbose_name_plural = _("chain links")
