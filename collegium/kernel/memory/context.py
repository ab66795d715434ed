"""Memories put into chats, and chats put into memory (the context injector and extractor of AIOS).

Both are interceptors and opt-in. They make calls of their own, so they have to know the kernel:

    injector, extractor = inject(), extract()
    kernel = Kernel(model, interceptors=[injector, extractor], drivers=memory.drivers)
    injector.attach(kernel)
    extractor.attach(kernel)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from collegium.errors import BadInput
from collegium.kernel.calls import Call, Generate, Message, Reply
from collegium.kernel.resources import Method, Note, Recall, Remember

if TYPE_CHECKING:
    from collegium.kernel.kernel import Kernel, Proceed

HEADING = "What you remember that may bear on this:"

BYTES_PER_TOKEN = 3
"""English text has 4 and more bytes to a token; counting 3 keeps below a cap."""

CUT = " ..."

TURN = "turn"
"""Tag of the notes that the extractor keeps."""


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, rather too many than too few."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def is_chat(call: Call) -> bool:
    """Whether a call is a turn of a conversation: free text, without tools, one reply."""
    if not isinstance(call, Generate) or call.n != 1:
        return False
    return call.schema is None and call.grammar is None and not call.tools


class Injector:
    """The interceptor that :func:`inject` makes."""

    def __init__(
        self, *, k: int, least: float, tokens: int, method: Method, count: Callable[[str], int]
    ) -> None:
        self._k, self._least, self._tokens = k, least, tokens
        self._method: Method = method
        self._count = count
        self._kernel: Kernel | None = None

    def attach(self, kernel: Kernel) -> None:
        """Say which kernel its searches go through, where they are checked and traced."""
        self._kernel = kernel

    async def __call__(self, call: Call, proceed: Proceed) -> Any:
        """Put what the agent remembers before a chat call; hand every other call on."""
        if not isinstance(call, Generate) or not is_chat(call):
            return await proceed(call)
        asked = next((m.text for m in reversed(call.messages) if m.role == "user"), "")
        if not asked.strip():
            return await proceed(call)
        search = Recall(
            agent=call.agent, query=asked, k=self._k, least=self._least, method=self._method
        )
        notes = await _attached(self._kernel, "injector").call(search)
        return await proceed(with_notes(call, notes, self._tokens, self._count))


def inject(
    *,
    k: int = 5,
    least: float = 0.5,
    tokens: int = 1500,
    method: Method = "vector",
    count: Callable[[str], int] = estimated_tokens,
) -> Injector:
    """Make an interceptor that gives every chat call the agent's fitting memories.

    Calls that want a typed output, tools or several samples are left as they are. The memories
    stand in one system message at index 0, behind the agent's profile where it has one.

    Args:
        k: How many notes at most.
        least: Lowest score that counts; of the default method it is the cosine.
        tokens: Cap on what is added. Notes are added best first, whole; one that does not fit is
            left out, and the best is cut if even that does not fit.
        method: How to look.
        count: Counts the tokens of a text.

    Returns:
        The interceptor; :meth:`Injector.attach` it to its kernel.
    """
    return Injector(k=k, least=least, tokens=tokens, method=method, count=count)


def with_notes(
    call: Generate, notes: tuple[Note, ...], cap: int, count: Callable[[str], int]
) -> Generate:
    """The call with notes in its system message, within a cap of tokens."""
    text = HEADING
    for note in notes:
        longer = f"{text}\n- {note.text}"
        if count(longer) <= cap:
            text = longer
    if notes and text == HEADING:
        text = _longest(f"{HEADING}\n- {notes[0].text}", cap, count)
    if not notes or len(text) <= len(HEADING):
        return call
    first, *rest = call.messages
    if first.role == "system":
        # one system message in all: the templates of some models take no second
        head = msgspec.structs.replace(first, text=f"{first.text}\n\n{text}")
        return msgspec.structs.replace(call, messages=(head, *rest))
    return msgspec.structs.replace(call, messages=(Message("system", text), *call.messages))


def _longest(text: str, cap: int, count: Callable[[str], int]) -> str:
    """The longest beginning of a text that a cap of tokens leaves room for."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:middle] + CUT) <= cap:
            low = middle
        else:
            high = middle - 1
    return text[:low] + CUT if low else ""


class Extractor:
    """The interceptor that :func:`extract` makes."""

    def __init__(self, tags: tuple[str, ...]) -> None:
        self._tags = tags
        self._kernel: Kernel | None = None
        self._saving: set[asyncio.Task[Any]] = set()

    def attach(self, kernel: Kernel) -> None:
        """Say which kernel it remembers through."""
        self._kernel = kernel

    async def __call__(self, call: Call, proceed: Proceed) -> Any:
        """Hand a call on; keep the turn of a chat once its reply is there."""
        replies: tuple[Reply[Any], ...] = await proceed(call)
        if isinstance(call, Generate) and is_chat(call) and call.messages[-1].role == "user":
            text = f"User: {call.messages[-1].text}\nAssistant: {replies[0].text}"
            keep = Remember(agent=call.agent, text=text, tags=self._tags)
            task = asyncio.create_task(self._keep(_attached(self._kernel, "extractor"), keep))
            self._saving.add(task)
            task.add_done_callback(self._saving.discard)
        return replies

    async def drain(self) -> None:
        """Wait until all turns so far are kept. Call it before the kernel is closed."""
        while self._saving:
            await asyncio.gather(*self._saving, return_exceptions=True)

    async def _keep(self, kernel: Kernel, keep: Remember) -> None:
        try:
            await kernel.call(keep)
        except Exception:
            # The reply was given already, and the trace holds the call with its error.
            return


def extract(*, tags: tuple[str, ...] = (TURN,)) -> Extractor:
    """Make an interceptor that remembers every turn of a chat, without its waiting for that.

    Args:
        tags: Labels of the notes.

    Returns:
        The interceptor; :meth:`Extractor.attach` it to its kernel, and ``await drain()`` at the
        end of the run.
    """
    return Extractor(tags)


def _attached(kernel: Kernel | None, what: str) -> Kernel:
    if kernel is None:
        raise BadInput(f"the {what} of memories is not attached: call its attach(kernel) first.")
    return kernel
