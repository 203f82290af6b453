"""The life of a session, verb by verb. The only writer of DeviceSession.

Read `beginning`, `using`, `ending`. Locks: what concerns all sessions of a user takes the user's row first,
then session rows by id; what concerns one session takes its row alone, by a conditional UPDATE. See
docs/architecture.md.
"""

from .account import account_changed as account_changed
from .account import account_leaves as account_leaves
from .account import change_password as change_password
from .account import check_password as check_password
from .account import disown_all as disown_all
from .beginning import start as start
from .ending import leave as leave
from .ending import logout as logout
from .ending import revoke as revoke
from .ending import revoke_all as revoke_all
from .ending import revoke_batch as revoke_batch
from .impersonating import end_impersonated as end_impersonated
from .impersonating import start_impersonated as start_impersonated
from .owning import asked_about as asked_about
from .owning import confirm as confirm
from .owning import count_active as count_active
from .owning import rename as rename
from .owning import review as review
from .using import authenticate as authenticate
from .using import living as living
from .using import logout_by_refresh_token as logout_by_refresh_token
from .using import resume as resume
from .using import rotate as rotate
from .using import visit as visit
