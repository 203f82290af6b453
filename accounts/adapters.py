"""Configures allauth, which signs users in on pages and in apps."""

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from allauth.account.internal.flows.signup import send_unknown_account_mail
from allauth.account.models import EmailAddress
from allauth.core import ratelimit
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from devices.contrib.allauth import AccountAdapter as DevicesAccountAdapter
from devices.exceptions import SessionRequired, SessionRevoked, TooManyAttempts
from devices.shortcuts import missing_proof

from . import addresses, first_proof, limits, recovery
from .models import User

logger = logging.getLogger("accounts")

# In the session of a browser whose user is to prove again who they are, at their provider.
SIGN_IN_AGAIN: Final = "accounts.sign_in_again"
# Where a provider says what it has.
WELL_KNOWN: Final = "/.well-known/"


# Mails whose making would tell by its time whether there is an account: after a hashing it does not. Where
# there is none to be registered any more, that is the hashing of the password it did not get.
TELLTALE = {
    "account/email/account_already_exists",
    "account/email/password_reset_key",
    "account/email/unknown_account",
}
TOLD_BY_DEVICES = (
    "account/email/password_",
    "account/email/email_changed",
    "mfa/email/totp_activated",
    "mfa/email/webauthn_added",
    "socialaccount/email/account_connected",
)

# Mails that anybody can have sent to an address that is not theirs.
ASKED_BY_ANYBODY = TELLTALE | {
    "account/email/email_confirmation",
    "account/email/email_confirmation_signup",
}


# Where the ways into an account are changed, beside its addresses.
ATTACHING = {"allauth.mfa", "allauth.socialaccount"}


class AccountAdapter(DevicesAccountAdapter):
    """Make allauth's accounts keep this site's rules for addresses, passwords and e-mails."""

    def send_notification_mail(
        self, template_prefix: str, user: User, *args: Any, **kwargs: Any
    ) -> None:
        # `devices` sends the e-mails about new passwords, addresses and sign-in methods, however they change.
        if not template_prefix.startswith(TOLD_BY_DEVICES):
            super().send_notification_mail(template_prefix, user, *args, **kwargs)

    def clean_email(self, email: str) -> str:
        return email.lower()

    def validate_unique_email(self, email: str) -> str:
        """On every page and endpoint of allauth's where somebody claims an address."""
        try:
            addresses.limit_mailbox(self.request, email)
        except TooManyAttempts as error:
            raise ImmediateHttpResponse(limits.respond(self.request, error)) from error
        return super().validate_unique_email(email)  # type: ignore[no-any-return]

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """After the first verification by somebody who did not create the account, it starts anew."""
        user = email_address.user
        if email_address.email != user.email:
            first_proof.demand_owner(request, user)
        is_first = email_address.email == user.email and first_proof.is_first(user)
        is_theirs = not is_first or first_proof.knows_account(request, user)
        with transaction.atomic():
            User.objects.select_for_update().filter(pk=user.pk).first()
            if not EmailAddress.objects.filter(pk=email_address.pk).exists():
                # The owner has taken the account back meanwhile.
                return False
            confirmed: bool = super().confirm_email(request, email_address)
            if confirmed and not is_theirs:
                first_proof.drop_what_came_before(user, password=True)
        return confirmed

    def get_email_verification_redirect_url(self, email_address: EmailAddress) -> str:
        url: str = super().get_email_verification_redirect_url(email_address)
        user = email_address.user
        if user.has_usable_password() or SocialAccount.objects.filter(user=user).exists():
            return url
        # Somebody who came by the link in the e-mail may choose one, as after a password reset.
        return recovery.choose_password_url(user)

    def set_password(self, user: User, password: str) -> None:
        """allauth saves the whole user, as it was when the request began. Raises PermissionDenied."""
        begun = user.password
        with transaction.atomic():
            # The link, or the session, was good for this password of an active account.
            current = User.objects.select_for_update().filter(pk=user.pk, is_active=True)
            if begun not in current.values_list("password", flat=True):
                raise PermissionDenied(SessionRevoked.message)
            if self.request.user.pk != user.pk:
                # By a link in a mail.
                first_proof.by_reset(user)
            user.set_password(password)
            user.save(update_fields=["password"])

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """Not to an unverified address: its reader would get the account."""
        mine = EmailAddress.objects.filter(user_id=user.pk, email=email, verified=True)
        if email == user.email or mine.exists():
            super().send_password_reset_mail(user, email, context)
        else:
            send_unknown_account_mail(self.request, email)

    def clean_password(self, password: str, user: Any = None) -> str:
        try:
            password.encode()
        except UnicodeEncodeError as error:  # JSON lets half a character through.
            raise ValidationError(_("Enter text."), code="invalid") from error
        return super().clean_password(password, user)  # type: ignore[no-any-return]

    def clean_phone(self, phone: str) -> str:
        """There are endpoints for one, whether or not a site keeps any."""
        raise ValidationError(_("No phone numbers are kept here."), code="invalid")

    def get_phone(self, user: User) -> None:
        return None

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """An unreachable mail server fails no page, and does not reveal which accounts exist."""
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
            logger.error("An e-mail could not be sent: %s", error)

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

    def get_login_stages(self) -> list[str]:
        ours = {"allauth.mfa.stages.TrustStage": "devices.contrib.allauth_mfa.TrustDevice"}
        stages = [ours.get(stage, stage) for stage in super().get_login_stages()]
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
        try:
            owed = missing_proof(self.request)
        except SessionRequired:
            raise ReauthenticationRequired from None
        if owed:
            raise ReauthenticationRequired
        if app in ATTACHING:
            first_proof.demand(self.request)
        return False

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Those of `reauthentication.flows`; a new login for who has none."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not methods and user.is_authenticated:
            again = reverse("account_sign_in_again")
            return [{"id": "again", "description": _("Sign in again"), "url": again}]
        return methods


class ProviderNotOffered(SocialApp.DoesNotExist, Http404):
    """No client id is set for this provider: its paths lead nowhere."""


class ProviderAway(OAuth2Error, requests.RequestException):
    """It does not answer, or not as such. allauth's views expect one error or the other."""


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Make logins by identity providers refuse malformed tokens, and tell when a provider is down."""

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
            limits.consume(request, "provider_token")
            try:
                return verify(request, token)
            except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
                raise self.validation_error("invalid_token") from error

        return verify_token

    def _or_tell(self, provider: Any) -> Any:
        """To send people there; or to tell them that it is away."""
        send: Callable[..., HttpResponse] = provider.redirect

        def redirect(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            is_again = SIGN_IN_AGAIN in request.session and not request.user.is_authenticated
            if is_again and provider.id == OpenIDConnectProvider.id:
                # Whom it still knows it would send back without a question. It says when it has asked.
                given = kwargs.get("auth_params") or provider.get_auth_params()
                kwargs["auth_params"] = {**given, "prompt": "login", "max_age": "0"}
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
