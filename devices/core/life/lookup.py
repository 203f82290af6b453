"""The one SELECT that brings a session with its user: compiled once, and no more built than is asked for."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache, partial
from operator import itemgetter
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, models
from django.db.models.base import ModelState
from django.utils.functional import SimpleLazyObject

from devices.core import database
from devices.models import DeviceSession

from .statements import Statement

Row = Sequence[Any]
Read = Callable[[Row], Any]

# What requests do not ask of their own session. Whoever does pays a query for it.
SELDOM = (
    "device_key",
    "latitude",
    "longitude",
    "precise_since",
    "risk_level",
    "reviewed_at",
    "revoke_reason",
    "revoked_by",
)


class LazyUser(SimpleLazyObject):
    """A user who is built, without a query, when first touched. What is known before costs nothing."""

    def __init__(self, known: dict[str, Any], build: Callable[[], Any]) -> None:
        self.__dict__.update(known)
        self.__dict__["_known"] = known
        super().__init__(build)

    def _setup(self) -> None:
        # From now on the user itself is asked, since somebody may change it.
        for name in self.__dict__["_known"]:
            self.__dict__.pop(name, None)
        super()._setup()  # type: ignore[misc]

    def __bool__(self) -> bool:
        return True


class Columns:
    """The columns of a row that make one object, and what becomes of the database's values."""

    def __init__(self, info: dict[str, Any], compiler: Any) -> None:
        self.model: type[models.Model] = info["model"]
        self._using: str = compiler.using
        self._places = {
            compiler.select[place][0].target.attname: place for place in info["select_fields"]
        }
        # In the order of Model.__init__; the select has the columns of a parent table elsewhere.
        fields = self.model._meta.concrete_fields
        self.names = [field.attname for field in fields if field.attname in self._places]
        # Where some are missing, from_db() looks for each field among the names.
        self._given = self.names if len(self.names) == len(fields) else dict.fromkeys(self.names)
        self._cut = itemgetter(*(self._places[name] for name in self.names))
        expressions = [compiler.select[self._places[name]][0] for name in self.names]
        self._converters = list(compiler.get_converters(expressions).items())

    def build(self, row: Row) -> Any:
        # An array is the row's own list, and the row may make another object.
        values = [deepcopy(value) if type(value) is list else value for value in self._cut(row)]
        connection = connections[self._using]
        for index, (converters, expression) in self._converters:
            for convert in converters:
                values[index] = convert(values[index], expression, connection)
        return self.model.from_db(self._using, cast(Any, self._given), values)

    def reader(self, name: str) -> Read:
        """What reads a single value of the object."""
        place = self._places[name]
        converters, expression = dict(self._converters).get(self.names.index(name), ((), None))
        if not converters:
            return itemgetter(place)

        def read(row: Row) -> Any:
            value = row[place]
            for convert in converters:
                value = convert(value, expression, connections[self._using])
            return value

        return read


class Lookup:
    """The statement for a model of sessions, on one database; without the columns that are seldom asked."""

    def __init__(self, model: type[models.Model], using: str, seldom: Sequence[str] = ()) -> None:
        self._using = using
        compiler = (
            model._base_manager.using(using)
            .select_related("user")
            .defer(*seldom)
            .order_by()
            .query.get_compiler(using)
        )
        sql, _ = compiler.as_sql()
        self._pk: Any = model._meta.pk
        self._user = cast(Any, model._meta.get_field("user"))
        quote = compiler.connection.ops.quote_name
        table, pk = quote(model._meta.db_table), quote(self._pk.column)
        self._statement = Statement(
            f"devices_{model._meta.model_name}",
            f"{sql} WHERE {table}.{pk} = %s AND {table}.{quote(self._user.column)} = %s",
        )
        [related] = compiler.klass_info["related_klass_infos"]
        self._session = Columns(compiler.klass_info, compiler)
        self._account = Columns(related, compiler)
        # What is asked of a user whom no view touches.
        key = self._account.model._meta.pk.attname
        names = {"id", key, "password", "is_active"} & set(self._account.names)
        self._readers = {name: self._account.reader(name) for name in names}
        self._readers["pk"] = self._account.reader(key)
        self._constants = {
            name: answer
            for name, answer in {"is_authenticated": True, "is_anonymous": False}.items()
            if getattr(self._account.model, name) is getattr(AbstractBaseUser, name)
        }

    def find(self, session_id: Any, user_id: Any) -> Any:
        """The session, its user not built yet, or None. One query.

        Raises ValidationError, ValueError or OverflowError for what cannot be an id.
        """
        connection = connections[self._using]
        parameters = [
            self._pk.get_db_prep_value(session_id, connection),
            self._user.get_db_prep_value(self._user.to_python(user_id), connection),
        ]
        row = self._statement.row(connection, parameters)
        if row is None:
            return None
        session = self._session.build(row)
        known = self._constants | {name: read(row) for name, read in self._readers.items()}
        self._user.set_cached_value(session, LazyUser(known, lambda: self._account.build(row)))
        return session


@cache
def _lookup(using: str) -> Lookup:
    return Lookup(DeviceSession, using, SELDOM)


@cache
def _rules(model: type[models.Model]) -> list[models.Manager[Any]]:
    """Managers of users that do not give every row: what they hide, Django and SimpleJWT do not find."""
    managers = {model._default_manager, getattr(model, "objects", model._default_manager)}
    plain = models.Manager.get_queryset
    return [each for each in managers if type(each).get_queryset is not plain]


def find(session_id: Any, user_id: Any) -> DeviceSession | None:
    """As Lookup.find, on the database that is written to: a replica may not know of an end yet.

    None, too, for a user whom a manager of the user model hides. To ask such a manager is another query.
    """
    using = database.alias()
    found: DeviceSession | None = _lookup(using).find(session_id, user_id)
    if found is None:
        return None
    for manager in _rules(get_user_model()):
        user = manager.db_manager(using).filter(pk=found.user_id).first()
        if user is None:
            return None
        known = found._state.fields_cache["user"].__dict__["_known"]
        found._state.fields_cache["user"] = LazyUser(known, partial(deepcopy, user))
    return found


def twin(session: DeviceSession) -> DeviceSession:
    """A found session once more, with a user of its own; what one request changes, no other sees."""
    twin = DeviceSession.__new__(DeviceSession)
    twin.__dict__.update(session.__dict__)
    twin._state = state = ModelState()
    state.db, state.adding = session._state.db, False
    user = session._state.fields_cache["user"].__dict__
    state.fields_cache["user"] = LazyUser(user["_known"], user["_setupfunc"])
    return twin
