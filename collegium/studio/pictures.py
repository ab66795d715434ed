"""Pictures from worlds and traces on a page."""

from __future__ import annotations

import base64

from collegium.kernel.calls import Image
from collegium.studio.episodes import media_type
from collegium.studio.safe import tag


def show_picture(one: Image, number: int) -> None:
    """A picture, if its bytes are those of one that holds no script."""
    kind = media_type(one.data)
    if not kind:
        tag("p", f"A picture that is not shown ({len(one.data):,} bytes).", cls="dim")
        return
    made = tag("img", alt=f"What was on the screen at step {number}", loading="lazy")
    # made of checked bytes, so it may be an address of data
    made.props["src"] = f"data:{kind};base64,{base64.b64encode(one.data).decode()}"
