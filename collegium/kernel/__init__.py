"""The agent operating system: calls, interceptors, limits, trace and the run store.

Systems see :class:`Kernel` and :class:`Agent`; everything that should happen to all systems is an
:class:`Interceptor`.
"""

from collegium.kernel.access import Access, Permission, by_rules
from collegium.kernel.agent import Agent
from collegium.kernel.calls import (
    AskHuman,
    Call,
    Generate,
    Image,
    Mail,
    Message,
    Receive,
    Reply,
    Send,
    TokenLogprob,
    ToolCall,
    ToolSpec,
    Unparsed,
    Usage,
    UseTool,
)
from collegium.kernel.kernel import Interceptor, Kernel, gather
from collegium.kernel.lasting import resources
from collegium.kernel.limits import Limits, Meter
from collegium.kernel.memo import Journal, MemoryReplies, ResponseCache
from collegium.kernel.outputs import Output, Worked, output_of
from collegium.kernel.resources import (
    Delete,
    Find,
    Forget,
    Found,
    ListFiles,
    Load,
    Note,
    Recall,
    Remember,
    Rollback,
    Share,
    Store,
    Version,
)
from collegium.kernel.retry import Retry
from collegium.kernel.scheduler import Scheduler
from collegium.kernel.store import RunStore
from collegium.kernel.tool import Tool, tool
from collegium.kernel.toolbox import Instances, Toolbox
from collegium.kernel.toolcalls import answer_calls
from collegium.kernel.trace import Event, Trace, read_trace

__all__ = [
    "Access",
    "Agent",
    "AskHuman",
    "Call",
    "Delete",
    "Event",
    "Find",
    "Forget",
    "Found",
    "Generate",
    "Image",
    "Instances",
    "Interceptor",
    "Journal",
    "Kernel",
    "Limits",
    "ListFiles",
    "Load",
    "Mail",
    "MemoryReplies",
    "Message",
    "Meter",
    "Note",
    "Output",
    "Permission",
    "Recall",
    "Receive",
    "Remember",
    "Reply",
    "ResponseCache",
    "Retry",
    "Rollback",
    "RunStore",
    "Scheduler",
    "Send",
    "Share",
    "Store",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "ToolSpec",
    "Toolbox",
    "Trace",
    "Unparsed",
    "Usage",
    "UseTool",
    "Version",
    "Worked",
    "answer_calls",
    "by_rules",
    "gather",
    "output_of",
    "read_trace",
    "resources",
    "tool",
]
