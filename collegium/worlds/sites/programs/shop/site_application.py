"""The site as a WSGI application."""

import common

common.start_django()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import get_resolver  # noqa: E402

application = get_wsgi_application()
# Load all pages now, so that the first request is as quick as the others.
get_resolver().url_patterns  # noqa: B018
