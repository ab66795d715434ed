"""What machine a figure was measured on."""

import os
import platform


def machine() -> str:
    """The machine in a few words: processor, cores, system."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            names = [ln.partition(":")[2].strip() for ln in lines if ln.startswith("model name")]
        processor = names[0] if names else processor
    except OSError:
        pass
    return f"{processor}, {os.cpu_count()} cores, {platform.system()}"
