"""What is new: runs that ended and results that were measured since the last digest.

A digest (:func:`collect`) is told as text, as an HTML page, as an Atom feed and by e-mail. What was
told is remembered in a :class:`Mark` beside the run store, so that nothing is told twice; it is
written after delivery, so that nothing is lost.
"""

from collegium.bench.digest.atom import atom
from collegium.bench.digest.mail import Mailbox, NotDelivered, compose, require_address, send
from collegium.bench.digest.mark import Mark, mark_path, read_mark, remembering, write_mark
from collegium.bench.digest.news import Digest, ResultNews, RunNews, Tally, collect, latest
from collegium.bench.digest.write import page, text

__all__ = [
    "Digest",
    "Mailbox",
    "Mark",
    "NotDelivered",
    "ResultNews",
    "RunNews",
    "Tally",
    "atom",
    "collect",
    "compose",
    "latest",
    "mark_path",
    "page",
    "read_mark",
    "remembering",
    "require_address",
    "send",
    "text",
    "write_mark",
]
