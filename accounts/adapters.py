"""How allauth, which signs people in on pages and for apps, is told to do it our way."""

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.signup import send_unknown_account_mail
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.core import ratelimit
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from devices.backends import is_text
from devices.core import stepup
from devices.exceptions import TooManyAttempts
from devices.http import client_of, session_at_hand

from . import addresses, first_proof
from .models import User
from .reauthentication import METHOD_OF_ID, method_of

logger = logging.getLogger("accounts")

# Where a provider says what it has.
WELL_KNOWN: Final = "/.well-known/"


# Mails whose making would tell by its time whether there is an account: after a hashing it does not. Where
# there is none to be registered any more, that is the hashing of the password it did not get.
TELLTALE = {
    "account/email/account_already_exists",
    "account/email/password_reset_key",
    "account/email/unknown_account",
}
TOLD_BY_DEVICES = ("account/email/password_", "account/email/email_changed")

# Mails that anybody can have sent to an address that is not theirs.
ASKED_BY_ANYBODY = TELLTALE | {
    "account/email/email_confirmation",
    "account/email/email_confirmation_signup",
}


# Where the ways into an account are changed, beside its addresses.
ATTACHING = {"allauth.mfa", "allauth.socialaccount"}


class AccountAdapter(DefaultAccountAdapter):
    def get_client_ip(self, request: HttpRequest) -> str:
        """The address as everywhere else: forwarding headers count from trusted proxies only."""
        return client_of(request).ip_address or "unknown"

    def get_http_user_agent(self, request: HttpRequest) -> str:
        return client_of(request).user_agent

    def send_notification_mail(
        self, template_prefix: str, user: User, *args: Any, **kwargs: Any
    ) -> None:
        # Of a new password and a new address devices tells, by whatever way they were changed.
        if not template_prefix.startswith(TOLD_BY_DEVICES):
            super().send_notification_mail(template_prefix, user, *args, **kwargs)

    def clean_email(self, email: str) -> str:
        return email.lower()

    def validate_unique_email(self, email: str) -> str:
        """On every page and endpoint of allauth's where somebody claims an address."""
        try:
            addresses.limit_mailbox(self.request, email)
        except TooManyAttempts as error:
            raise ImmediateHttpResponse(ratelimit.respond_429(self.request)) from error
        return super().validate_unique_email(email)  # type: ignore[no-any-return]

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Whoever gives the first proof of the account's own address, and did not make it, begins anew."""
        user = email_address.user
        if email_address.email != user.email:
            first_proof.demand_owner(request, user)
        is_first = email_address.email == user.email and first_proof.is_first(user)
        is_theirs = not is_first or first_proof.knows_account(request, user)
        with transaction.atomic():
            confirmed: bool = super().confirm_email(request, email_address)
            if confirmed and not is_theirs:
                first_proof.drop_what_came_before(user, password=True)
        return confirmed

    def get_email_verification_redirect_url(self, email_address: EmailAddress) -> str:
        url: str = super().get_email_verification_redirect_url(email_address)
        user = email_address.user
        if user.has_usable_password() or SocialAccount.objects.filter(user=user).exists():
            return url
        # Whoever came here by the mail may choose one, as by a link to a new password.
        keys = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
        return reverse("account_reset_password_from_key", kwargs=keys)

    def set_password(self, user: User, password: str) -> None:
        if self.request.user.pk != user.pk:
            # By a link in a mail.
            first_proof.by_reset(user)
        super().set_password(user, password)

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """Not to an address that somebody only claims: whoever reads it would get their account."""
        mine = EmailAddress.objects.filter(user_id=user.pk, email=email, verified=True)
        if email == user.email or mine.exists():
            super().send_password_reset_mail(user, email, context)
        else:
            send_unknown_account_mail(self.request, email)

    def clean_password(self, password: str, user: Any = None) -> str:
        if not is_text(password):
            raise ValidationError(_("Enter text."), code="invalid")
        return super().clean_password(password, user)  # type: ignore[no-any-return]

    def clean_phone(self, phone: str) -> str:
        """There are endpoints for one, whether or not a site keeps any."""
        raise ValidationError(_("No phone numbers are kept here."), code="invalid")

    def get_phone(self, user: User) -> None:
        return None

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A mail server that does not answer fails no page, and tells nobody who has an account."""
        if template_prefix in TELLTALE:
            User().set_password(email)
        if template_prefix in ASKED_BY_ANYBODY:
            # Each kind by itself: nobody holds back the link to a new password by asking for others.
            key = f"{template_prefix}:{addresses.mailbox(email)}"
            if not ratelimit.consume(self.request, action="mail", key=key):
                logger.warning("Too many mails to one mailbox: %s", template_prefix)
                return
        try:
            super().send_mail(template_prefix, email, self._of_this_site(context))
        except OSError as error:
            logger.error("A mail could not be sent: %s", error)

    def _of_this_site(self, context: dict[str, Any]) -> dict[str, Any]:
        """The mail's links and names by SITE_URL: what a request calls the host is its sender's word."""
        site = urlsplit(settings.SITE_URL)
        if not site.netloc:
            return context
        host = self.request.get_host()
        links = {
            name: urlsplit(value)._replace(scheme=site.scheme, netloc=site.netloc).geturl()
            for name, value in context.items()
            if name.endswith("_url") and urlsplit(value).netloc == host
        }
        named = SimpleNamespace(name=settings.SITE_NAME, domain=site.netloc)
        return context | links | {"current_site": named}

    def login(self, request: HttpRequest, user: User) -> None:
        request.is_allauth_login = True  # type: ignore[attr-defined]
        super().login(request, user)

    def get_login_stages(self) -> list[str]:
        stages: list[str] = super().get_login_stages()
        return ["accounts.stages.PasswordAtStart", *stages, "accounts.stages.PasswordUnchanged"]

    def reauthenticate(self, user: User, password: str) -> bool:
        """By the address the account signs in with, whichever the person calls their primary one."""
        proved = self.authenticate(self.request, email=user.get_username(), password=password)
        return proved is not None and proved.pk == user.pk

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """As the rest of the site has it: before factors, addresses and other sites' accounts are changed.

        Raises ReauthenticationRequired. To answer would not do: allauth takes any login for a recent proof
        if the person has neither password nor factor.
        """
        session = session_at_hand()
        if session is None or stepup.missing_proof(session):
            raise ReauthenticationRequired
        if app in ATTACHING:
            first_proof.demand(self.request)
        return False

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Those of `reauthentication.method_of`, by name; a new login for who has nothing else."""
        methods = [
            method
            for method in super().get_reauthentication_methods(user)
            if METHOD_OF_ID.get(method["id"]) == method_of(user)
        ]
        if not methods and user.is_authenticated:
            again = reverse("account_sign_in_again")
            return [{"id": "again", "description": _("Sign in again"), "url": again}]
        return methods


class ProviderNotOffered(SocialApp.DoesNotExist, Http404):
    """No client id is set for this provider: its paths lead nowhere."""


class ProviderAway(OAuth2Error, requests.RequestException):
    """It does not answer, or not as such. allauth's views expect one error or the other."""


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def get_app(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Any:
        # An app's word for it, which the database may not take.
        if client_id is not None and not (client_id.isascii() and client_id.isprintable()):
            raise ProviderNotOffered
        try:
            return super().get_app(request, provider, client_id)
        except SocialApp.DoesNotExist as error:
            raise ProviderNotOffered from error

    def get_provider(self, *args: Any, **kwargs: Any) -> Any:
        provider = super().get_provider(*args, **kwargs)
        provider.verify_token = self._carefully(provider.verify_token)
        provider.redirect = self._or_tell(provider)
        return provider

    def _carefully(self, verify: Callable[[HttpRequest, Any], SocialLogin]) -> Any:
        """To tell a token that is malformed in ways the providers did not think of from a fault of ours."""

        def verify_token(request: HttpRequest, token: Any) -> SocialLogin:
            # To look at one means to ask the provider for its keys.
            if not ratelimit.consume(request, action="provider_token"):
                raise TooManyAttempts(retry_after=60)
            try:
                return verify(request, token)
            except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
                raise self.validation_error("invalid_token") from error

        return verify_token

    def _or_tell(self, provider: Any) -> Any:
        """To send people there; or to tell them that it is away."""
        send: Callable[..., HttpResponse] = provider.redirect

        def redirect(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                return send(request, *args, **kwargs)
            except ProviderAway as error:
                return render_authentication_error(request, provider, exception=error)

        return redirect

    def get_requests_session(self) -> requests.Session:
        session: requests.Session = super().get_requests_session()
        request = session.request

        def ask(*args: Any, **kwargs: Any) -> requests.Response:
            try:
                answer: requests.Response = request(*args, **kwargs)
                if WELL_KNOWN in answer.url:
                    answer.raise_for_status()
                    answer.json()
            except requests.RequestException as error:
                raise ProviderAway(str(error)) from error
            return answer

        session.request = ask  # type: ignore[method-assign]
        return session

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Any) -> User:
        for address in sociallogin.email_addresses:
            address.email = address.email.lower()
            # Taken for verified only if the provider says so in so many words: "false" is true to Python.
            address.verified = address.verified is True
        user: User = super().populate_user(request, sociallogin, data)
        user.email = user.email.lower()
        return user

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """The account whose owner has proved to have an address which the provider, too, says is theirs.

        An account whose address nobody proved may have been made by somebody else, to wait for the owner
        of the address to come and fill it. It is not linked, however verified the provider's side is.
        """
        proved = [
            address.email
            for address in sociallogin.email_addresses
            if address.verified and self.can_authenticate_by_email(sociallogin, address.email)
        ]
        ours = EmailAddress.objects.filter(email__in=proved, verified=True).select_related("user")
        address = ours.filter(user__is_active=True).order_by("-primary", "pk").first()
        return None if address is None else (address.user, address.email)
