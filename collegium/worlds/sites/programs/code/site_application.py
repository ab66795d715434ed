"""Trac as a WSGI application, with a page to sign in.

Trac leaves the checking of passwords to the web server in front of it, and takes its word at
``/login``. This is that word: a form, and the accounts that the environment names.
"""

import os
from html import escape
from urllib.parse import parse_qs

import common

os.environ["TRAC_ENV"] = str(common.STATE)

from trac.web.main import dispatch_request

PASSWORDS = {name: password for name, password, _ in common.ACCOUNTS}
LONGEST = 10_000

FORM = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in - {title}</title>
<link rel="stylesheet" href="/chrome/common/css/trac.css"></head>
<body><div id="main"><div id="content"><h1>Sign in</h1>{problem}
<form method="post" action="/login"><fieldset>
<p><label for="user">User name</label> <input id="user" name="user" autocomplete="username"></p>
<p><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password"></p>
<input type="hidden" name="referer" value="{referer}">
<p><button type="submit">Sign in</button></p>
</fieldset></form></div></div></body></html>"""


def application(environ, start_response):
    """Answer a request."""
    if environ.get("PATH_INFO", "").rstrip("/") != "/login":
        environ.pop("REMOTE_USER", None)
        return dispatch_request(environ, start_response)
    problem, referer = "", environ.get("HTTP_REFERER", "")
    if environ["REQUEST_METHOD"] == "POST":
        size = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST)
        form = parse_qs(environ["wsgi.input"].read(size).decode("utf-8", "replace"))
        name, password, referer = (
            form.get(key, [""])[0] for key in ("user", "password", "referer")
        )
        if name in PASSWORDS and PASSWORDS[name] == password:
            environ.update(
                REMOTE_USER=name, REQUEST_METHOD="GET", CONTENT_LENGTH="0", HTTP_REFERER=referer
            )
            return dispatch_request(environ, start_response)
        problem = '<p class="system-message">Wrong user name or password.</p>'
    page = FORM.format(
        title=escape(common.TITLE), problem=problem, referer=escape(referer, quote=True)
    ).encode()
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))]
    start_response("200 OK", headers)
    return [page]
