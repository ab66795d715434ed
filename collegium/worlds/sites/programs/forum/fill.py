"""Fill the forum from its data: topics and comments are posted the way the forum posts them."""

import common
import time_machine


def fill(data: dict) -> None:
    """Make tables, members, categories, topics and private topics."""
    from datetime import timedelta

    start = common.when(data["now"])
    with time_machine.travel(start, tick=False):
        common.start_django()
        common.migrate()
        settings()
    users = members(data)
    categories = make_categories(data)
    posts = []
    for one in data["topics"]:
        posts += post_topic(one, users, categories[one["category"]])
    for one in data["private"]:
        posts += post_private(one, users)
    like(posts, users)
    with time_machine.travel(start + timedelta(minutes=1), tick=False):
        common.sign_in(users, "spirit.user.auth.backends.UsernameAuthBackend")
        index()


def settings() -> None:
    """What an administrator sets in the forum itself."""
    from djconfig.models import Config

    wanted = {
        "site_name": common.TITLE,
        "site_description": "Weather stations and those who look after them",
        "comments_per_page": "20",
        "topics_per_page": "20",
    }
    for key, value in wanted.items():
        Config.objects.update_or_create(key=key, defaults={"value": value})


def members(data: dict) -> dict:
    """Everybody who writes."""
    from django.contrib.auth import get_user_model

    users = {}
    for one in data["members"]:
        with time_machine.travel(common.when(one["since"]), tick=False):
            user = get_user_model().objects.create_user(
                one["name"], email=f"{one['name']}@example.com", password=None
            )
            user.st.nickname = one["nick"]
            user.st.location = one["location"]
            user.st.is_verified = True
            user.st.is_moderator = one.get("moderator", False)
            user.st.save()
        users[one["name"]] = user
    return users


def make_categories(data: dict) -> dict:
    """The categories; the one that Spirit makes for a start becomes the first."""
    from spirit.category.models import Category

    made = {}
    with time_machine.travel(common.when("2024-09-01"), tick=False):
        Category.objects.filter(is_private=False).delete()
        for order, one in enumerate(data["categories"]):
            made[one["title"]] = Category.objects.create(
                title=one["title"], description=one["text"], color=one["color"], sort=order
            )
    return made


def post_topic(one: dict, users: dict, category) -> list:
    """A topic and its comments."""
    from spirit.topic.models import Topic

    first = one["posts"][0]
    with time_machine.travel(common.when(first["at"]), tick=False):
        topic = Topic.objects.create(user=users[first["by"]], category=category, title=one["title"])
    made = [comment(topic, post, users) for post in one["posts"]]
    Topic.objects.filter(pk=topic.pk).update(
        is_globally_pinned=one.get("pinned", False), is_closed=one.get("closed", False)
    )
    return list(zip(made, one["posts"], strict=True))


def post_private(one: dict, users: dict) -> list:
    """A topic that only those invited see."""
    from spirit.category.models import Category
    from spirit.topic.models import Topic
    from spirit.topic.private.models import TopicPrivate

    first = one["posts"][0]
    with time_machine.travel(common.when(first["at"]), tick=False):
        private = Category.objects.get(is_private=True)
        topic = Topic.objects.create(user=users[one["by"]], category=private, title=one["title"])
        for name in [one["by"], *one["to"]]:
            TopicPrivate.objects.create(user=users[name], topic=topic)
    made = [comment(topic, post, users) for post in one["posts"]]
    return list(zip(made, one["posts"], strict=True))


def comment(topic, post: dict, users: dict):
    """One comment, through the form that members use."""
    from spirit.comment.forms import CommentForm
    from spirit.comment.utils import comment_posted

    with time_machine.travel(common.when(post["at"]), tick=False):
        form = CommentForm(user=users[post["by"]], topic=topic, data={"comment": post["text"]})
        if not form.is_valid():
            raise ValueError(f"{topic.title}: {form.errors.as_text()}")
        made = form.save()
        comment_posted(comment=made, mentions=form.mentions)
    return made


def like(posts: list, users: dict) -> None:
    """Likes, an hour after the comment."""
    from datetime import timedelta

    from spirit.comment.like.models import CommentLike

    for made, post in posts:
        with time_machine.travel(made.date + timedelta(hours=1), tick=False):
            for name in post.get("likes", ()):
                CommentLike.objects.create(user=users[name], comment=made)
                made.increase_likes_count()


def index() -> None:
    """The search index."""
    from django.core.management import call_command

    call_command("rebuild_index", interactive=False, verbosity=0)
