"""The helper functions that WebArena's tasks call: a fixed table; the original evaluates text.

``shopping_get_latest_order_url`` reads the customer's own list of orders, where the original asks
the shop's interface as an administrator. Reviews can be had from that interface only; name the
administrator in ``COLLEGIUM_WEBARENA_ADMIN`` as ``user:password``.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from collegium.errors import BadInput, unknown_name
from collegium.worlds.web.site import Helper, Place

ADMIN_VARIABLE = "COLLEGIUM_WEBARENA_ADMIN"

PREFIX = "func:"

_PAGE = object()


async def call(
    text: str, helpers: Mapping[str, Helper], last_url: str, here: Place, elsewhere: Place
) -> str:
    """Call a helper as a task writes it: ``func:name('argument', __page__)``.

    Args:
        text: The call.
        helpers: What may be called.
        last_url: Where the run ended; it takes the place of ``__last_url__``.
        here: The page that is being checked, for helpers that are given ``__page__``.
        elsewhere: A page to go to other places with, for the others.

    Raises:
        BadInput: It is no such call, or there is no such helper.
    """
    wrong = BadInput(f"{text!r} is no call of a helper like func:name('argument').")
    try:
        node = ast.parse(text.removeprefix(PREFIX).strip(), mode="eval").body
    except SyntaxError:
        raise wrong from None
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        raise wrong
    values: list[str] = []
    place = elsewhere
    for argument in node.args:
        if isinstance(argument, ast.Name) and argument.id == "__page__":
            place = here
        elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            values.append(argument.value.replace("__last_url__", last_url))
        else:
            raise wrong
    if node.func.id not in helpers:
        raise unknown_name("helper of web tasks", node.func.id, helpers)
    return await helpers[node.func.id](place, *values)


async def post_url(place: Place, url: str) -> str:
    """The address of a forum's post itself, whatever of it is open."""
    parts = urlsplit(url)
    steps = parts.path.split("/")
    if len(steps) < 4 or steps[1] != "f":
        return url
    return f"{parts.scheme}://{parts.netloc}/f/{steps[2]}/{steps[3]}/"


async def latest_order_url(place: Place) -> str:
    """The address of the customer's latest order."""
    await place.tab.goto(f"{_host(place, 'shopping')}/sales/order/history/")
    found = await place.tab.evaluate(
        "(document.querySelector('#my-orders-table a.action.view') || {}).href || ''"
    )
    return str(found)


async def latest_review_author(place: Place, sku: str) -> str:
    """Who wrote the latest review of a product."""
    review = await _latest_review(place, sku)
    return str(review.get("nickname", ""))


async def latest_review_rating(place: Place, sku: str) -> str:
    """How many stars the latest review of a product gives."""
    ratings = (await _latest_review(place, sku)).get("ratings") or [{}]
    return str(ratings[0].get("value", ""))


async def project_member_role(place: Place, account: str) -> str:
    """What a member may do in a project, as the open page of members says."""
    found = await place.tab.evaluate(
        f"""(() => {{
          const wanted = {json.dumps("@" + account)};
          const labels = [...document.querySelectorAll('.gl-avatar-labeled-sublabel')];
          const label = labels.find(one => one.innerText.trim() === wanted);
          const row = label && label.closest('tr');
          const role = row && row.querySelector('td.col-max-role span');
          return role ? role.innerText : '';
        }})()"""
    )
    return str(found)


HELPERS: dict[str, Helper] = {
    "reddit_get_post_url": post_url,
    "shopping_get_latest_order_url": latest_order_url,
    "shopping_get_sku_latest_review_author": latest_review_author,
    "shopping_get_sku_latest_review_rating": latest_review_rating,
    "gitlab_get_project_memeber_role": project_member_role,  # spelled so in the tasks
}
"""What WebArena's own tasks call."""


async def _latest_review(place: Place, sku: str) -> dict[str, Any]:
    user, colon, password = os.environ.get(ADMIN_VARIABLE, "").partition(":")
    if not colon:
        raise BadInput(
            f"reviews can be had as an administrator only: set {ADMIN_VARIABLE}=user:password."
        )
    host = _host(place, "shopping")
    await place.tab.goto(host)
    who = json.dumps({"username": user, "password": password})
    found = await place.tab.evaluate(
        f"""(async () => {{
          const asked = await fetch('/rest/default/V1/integration/admin/token', {{
            method: 'POST',
            headers: {{'content-type': 'application/json'}},
            body: {json.dumps(who)},
          }});
          const token = await asked.json();
          const got = await fetch('/rest/V1/products/' + encodeURIComponent({json.dumps(sku)})
            + '/reviews', {{headers: {{authorization: 'Bearer ' + token}}}});
          return JSON.stringify(await got.json());
        }})()"""
    )
    reviews = json.loads(found)
    if not isinstance(reviews, list):
        raise BadInput(f"the shop gave no reviews of {sku}: {str(reviews)[:200]}.")
    return max(reviews, key=lambda review: int(review.get("id", 0)), default={})


def _host(place: Place, site: str) -> str:
    if site not in place.hosts:
        raise BadInput(f"the host of {site!r} is not known.")
    return place.hosts[site]
