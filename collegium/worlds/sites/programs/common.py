"""What the programs of all sites share. They run in the sites' environments, not in collegium's."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

NAME = os.environ["SITE_NAME"]
TITLE = os.environ["SITE_TITLE"]
STATE = Path(os.environ["SITE_STATE"])
STATIC = Path(os.environ["SITE_STATIC"])
DATA = Path(os.environ["SITE_DATA"])
ACCOUNTS = [tuple(a) for a in json.loads(os.environ["SITE_ACCOUNTS"])]
COOKIE = os.environ["SITE_COOKIE"]

FOREVER = datetime(2099, 1, 1, tzinfo=UTC)


def data() -> dict:
    """The content of the site."""
    return json.loads(DATA.read_text(encoding="utf-8"))


def stay_here() -> None:
    """Refuse every connection that leaves this machine, whatever library asks for it."""

    def check(event: str, args: tuple) -> None:
        if event == "socket.connect":
            address = args[1]
            host = address[0] if isinstance(address, tuple) else ""
            if host and host not in ("127.0.0.1", "::1", "localhost"):
                raise PermissionError(f"this site has no network: {host}")
        if event == "socket.getaddrinfo" and args[0] not in (None, "", "127.0.0.1", "localhost"):
            raise PermissionError(f"this site has no network: {args[0]}")

    sys.addaudithook(check)


def when(text: str) -> datetime:
    """A time as the data has it: 2026-03-02 09:30, in UTC."""
    form = "%Y-%m-%d %H:%M" if " " in text else "%Y-%m-%d"
    return datetime.strptime(text, form).replace(tzinfo=UTC)


def django_settings() -> dict:
    """The settings that the Django sites share.

    Nothing is cached outside the database: a copy is put back to an earlier state while it runs.
    Passwords are hashed quickly, since they are written in the documentation anyway.
    """
    return {
        "DEBUG": False,
        "SECRET_KEY": f"{NAME}: a site for agents to act in, and no secret",
        "ALLOWED_HOSTS": ["127.0.0.1", "localhost"],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": STATE / "db.sqlite3",
                "ATOMIC_REQUESTS": True,
                "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
            }
        },
        "CACHES": {
            name: {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
            for name in ("default", "st_rate_limit", "renditions")
        },
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
        "AUTH_PASSWORD_VALIDATORS": [],
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "SESSION_COOKIE_NAME": COOKIE,
        "SESSION_COOKIE_AGE": 60 * 60 * 24 * 365,
        "CSRF_COOKIE_NAME": f"{NAME}_csrf",
        "LANGUAGE_COOKIE_NAME": f"{NAME}_language",
        "LANGUAGE_CODE": "en-gb",
        "TIME_ZONE": "UTC",
        "USE_TZ": True,
        "USE_I18N": True,
        "STATIC_URL": "/static/",
        "STATIC_ROOT": STATIC,
        "MEDIA_URL": "/media/",
        "MEDIA_ROOT": STATE / "media",
        "ROOT_URLCONF": "urls",
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "SILENCED_SYSTEM_CHECKS": ["*"],
        "LOGGING": {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "root": {"level": "ERROR", "handlers": ["console"]},
        },
    }


def templates(*processors: str, folders: tuple = ()) -> list:
    """The template engine with the usual context processors and some more."""
    usual = (
        "django.template.context_processors.request",
        "django.template.context_processors.i18n",
        "django.template.context_processors.media",
        "django.template.context_processors.static",
        "django.template.context_processors.tz",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    )
    return [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": list(folders),
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": [*usual, *processors]},
        }
    ]


MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]


def start_django() -> None:
    """Load the Django project of this site."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    django.setup()


def migrate() -> None:
    """Make the tables and gather the static files."""
    from django.core.management import call_command

    (STATE / "media").mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)


def sign_in(users: dict, backend: str) -> None:
    """Give every account that can sign in a session that never ends, under its known key.

    Args:
        users: The users, by the names of the accounts.
        backend: What Django notes as having checked the password.
    """
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session

    for name, password, key in ACCOUNTS:
        user = users[name]
        user.set_password(password)
        user.save()
        content = {
            "_auth_user_id": str(user.pk),
            "_auth_user_backend": backend,
            "_auth_user_hash": user.get_session_auth_hash(),
        }
        coded = SessionStore().encode(content)
        Session.objects.create(session_key=key, session_data=coded, expire_date=FOREVER)
