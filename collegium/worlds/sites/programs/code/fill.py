"""Fill Trac from its data: project, repository, tickets, wiki."""

import subprocess

import common
import time_machine

MAY = {
    "authenticated": ["TICKET_CREATE", "TICKET_MODIFY", "WIKI_CREATE", "WIKI_MODIFY"],
    "treed": ["MILESTONE_ADMIN", "REPORT_ADMIN", "WIKI_ADMIN", "TICKET_EDIT_COMMENT"],
}


def fill(data: dict) -> None:
    """Make the environment of Trac and everything in it."""
    from trac.env import Environment

    people = data["people"]
    with time_machine.travel(common.when("2024-11-20 09:00"), tick=False):
        options = [
            ("project", "name", common.TITLE),
            ("project", "descr", data["description"]),
            ("trac", "database", "sqlite:db/trac.db"),
            ("trac", "default_timezone", "UTC"),
            ("trac", "default_language", "en"),
            ("trac", "default_date_format", "iso8601"),
            ("trac", "default_dateinfo_format", "absolute"),
            ("trac", "never_obfuscate_mailto", "true"),
            ("trac", "check_auth_ip", "false"),
            ("header_logo", "src", ""),
            ("logging", "log_type", "none"),
            ("notification", "smtp_enabled", "false"),
            ("components", "tracopt.versioncontrol.git.*", "enabled"),
            ("repositories", ".dir", "repo.git"),
            ("repositories", ".type", "git"),
            ("ticket", "default_milestone", ""),
            ("ticket", "default_component", "sensors"),
            ("ticket", "default_version", "2.1"),
        ]
        repository(data, people)
        env = Environment(str(common.STATE / "new"), create=True, options=options)
        rights(env, people)
        planning(env, data)
    tickets(env, data)
    wiki(env, data)
    sign_in(env)
    env.shutdown()
    settle()


def repository(data: dict, people: dict) -> None:
    """The repository, commit by commit, with the times and names of the data."""
    folder = common.STATE / "repo.git"
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder)], check=True
    )
    out: list[bytes] = []
    heads = {"main": ""}
    for mark, one in enumerate(data["commits"], 1):
        branch = one.get("branch", "main")
        stamp = int(common.when(one["at"]).timestamp())
        who = f"{people[one['by']]} <{one['by']}@example.com> {stamp} +0000"
        message = one["text"].encode()
        out.append(f"commit refs/heads/{branch}\nmark :{mark}\n".encode())
        out.append(f"author {who}\ncommitter {who}\ndata {len(message)}\n".encode())
        out.append(message + b"\n")
        if parent := heads.get(branch) or heads["main"]:
            out.append(f"from {parent}\n".encode())
        for path, text in one["files"].items():
            content = text.encode()
            out.append(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")
        heads[branch] = f":{mark}"
        if tag := one.get("tag"):
            out.append(f"reset refs/tags/{tag}\nfrom :{mark}\n\n".encode())
    subprocess.run(
        ["git", "-C", str(folder), "fast-import", "--quiet"], input=b"".join(out), check=True
    )


def rights(env, people: dict) -> None:
    """Who may do what, and what everybody is called."""
    from trac.perm import PermissionSystem

    system = PermissionSystem(env)
    for name, actions in MAY.items():
        for action in actions:
            if (name, action) not in system.get_all_permissions():
                system.grant_permission(name, action)
    with env.db_transaction as db:
        for login, name in people.items():
            db("INSERT INTO session (sid, authenticated, last_visit) VALUES (%s, 1, 0)", (login,))
            for key, value in (("name", name), ("email", f"{login}@example.com")):
                db(
                    "INSERT INTO session_attribute (sid, authenticated, name, value)"
                    " VALUES (%s, 1, %s, %s)",
                    (login, key, value),
                )


def planning(env, data: dict) -> None:
    """Milestones, components and versions in place of the examples."""
    from trac.ticket.model import Component, Milestone, Version

    for kind in (Component, Milestone, Version):
        for example in list(kind.select(env)):
            example.delete()
    for one in data["milestones"]:
        made = Milestone(env)
        made.name, made.description = one["name"], one["text"]
        made.due = common.when(one["due"])
        made.completed = common.when(one["completed"]) if one["completed"] else None
        made.insert()
    for one in data["components"]:
        made = Component(env)
        made.name, made.owner, made.description = one["name"], one["owner"], one["text"]
        made.insert()
    for one in data["versions"]:
        made = Version(env)
        made.name, made.time = one["name"], common.when(one["at"])
        made.insert()


def tickets(env, data: dict) -> None:
    """Tickets with what was changed and said."""
    from trac.ticket.model import Ticket

    taken = ("summary", "type", "priority", "component", "milestone", "version", "reporter")
    owners = {one["name"]: one["owner"] for one in data["components"]}
    for one in data["tickets"]:
        with time_machine.travel(common.when(one["at"]), tick=False):
            ticket = Ticket(env)
            for field in taken:
                ticket[field] = one[field]
            ticket["keywords"] = one.get("keywords", "")
            ticket["description"] = one["text"]
            ticket["owner"] = one.get("owner", owners[one["component"]])
            ticket["status"] = "new"
            ticket.insert(when=common.when(one["at"]))
        for change in one.get("changes", ()):
            with time_machine.travel(common.when(change["at"]), tick=False):
                ticket = Ticket(env, ticket.id)
                for field in ("status", "resolution"):
                    if field in change:
                        ticket[field] = change[field]
                ticket.save_changes(
                    change["by"], change.get("text", ""), when=common.when(change["at"])
                )


def wiki(env, data: dict) -> None:
    """Pages, version by version. Trac's own help pages stay out, as there is a manual for them."""
    from trac.wiki.model import WikiPage

    for one in data["wiki"]:
        for version in one["versions"]:
            page = WikiPage(env, one["name"])
            page.text = version["text"]
            page.save(version["by"], "", t=common.when(version["at"]))


def sign_in(env) -> None:
    """A session that never ends for everybody who can sign in."""
    end = int(common.FOREVER.timestamp())
    with env.db_transaction as db:
        for name, _, key in common.ACCOUNTS:
            db(
                "INSERT INTO auth_cookie (cookie, name, ipnr, time) VALUES (%s, %s, %s, %s)",
                (key, name, "127.0.0.1", end),
            )


def settle() -> None:
    """Move the environment, which had to be made in an empty folder, to its place."""
    new = common.STATE / "new"
    for item in new.iterdir():
        item.rename(common.STATE / item.name)
    new.rmdir()
    (common.STATE / "files").mkdir(exist_ok=True)
