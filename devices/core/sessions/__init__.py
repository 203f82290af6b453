"""The life of a session, verb by verb. The only writer of DeviceSession.

Read `login`, `authentication`, `refresh`, `revocation`. Locks: what concerns all sessions of a user takes the
user's row first, then session rows by id; what concerns one session takes its row alone, by a conditional
UPDATE. See docs/architecture.md.
"""

from .account import account_changed as account_changed
from .account import account_leaves as account_leaves
from .account import account_left as account_left
from .account import account_recovered as account_recovered
from .account import active_of as active_of
from .account import change_password as change_password
from .account import check_password as check_password
from .account import recheck as recheck
from .account import refuse_to_wait as refuse_to_wait
from .account import revoke_all_as_unknown as revoke_all_as_unknown
from .authentication import authenticate as authenticate
from .authentication import authenticate_claims as authenticate_claims
from .authentication import authenticate_cookie as authenticate_cookie
from .authentication import find_valid_session as find_valid_session
from .authentication import get_valid_session as get_valid_session
from .authentication import record_use as record_use
from .binding import bind as bind
from .binding import refuse_copy as refuse_copy
from .binding import unbind as unbind
from .bound_cookies import check_bound as check_bound
from .bound_cookies import find_bound as find_bound
from .bound_cookies import register as register
from .bound_cookies import renew as renew
from .impersonation import end_impersonated as end_impersonated
from .impersonation import start_impersonated as start_impersonated
from .login import is_trusted as is_trusted
from .login import start as start
from .login import start_by_code as start_by_code
from .management import confirm as confirm
from .management import get_pending_review as get_pending_review
from .management import list_active as list_active
from .management import remember_provider as remember_provider
from .management import rename as rename
from .management import review as review
from .management import trust_device as trust_device
from .refresh import logout_by_refresh_token as logout_by_refresh_token
from .refresh import rotate as rotate
from .revocation import abandon as abandon
from .revocation import logout as logout
from .revocation import logout_by_id as logout_by_id
from .revocation import revoke as revoke
from .revocation import revoke_all as revoke_all
from .revocation import revoke_batch as revoke_batch
from .watcher import Watch as Watch
from .watcher import astream as astream
from .watcher import stream as stream
from .watcher import watch as watch
