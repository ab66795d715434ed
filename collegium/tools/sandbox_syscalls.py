"""The system-call filter of the sandbox, as a classic BPF program for ``bwrap --seccomp``.

Namespaces hide the machine; this filter closes what namespaces leave open:

- *Nested namespaces.* Inside a user namespace of its own a program could mount a fresh tmpfs
  without our size limit, and reach kernel code that ordinary users never reach.
- *Memory that no process seems to own* (``memfd_create``, System V shared memory, message queues):
  it would escape the memory limit, which adds up the memory of processes.
- *Sockets that ignore the network namespace* (``AF_VSOCK`` talks to the hypervisor) and socket
  families with much kernel code behind them. Unix and internet sockets stay allowed: they reach
  nothing but the sandbox itself.
- *Looking into other processes* (``ptrace`` and relatives) and rarely needed, wide kernel
  interfaces (``io_uring``, ``bpf``, ``userfaultfd``, the key ring ...).
"""

import errno
import platform
import socket
import struct

# Name -> number on (x86_64, aarch64).
_FORBIDDEN = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
}
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_SOCKET = (41, 198)
_MACHINES = {"x86_64": 0, "aarch64": 1}
_AUDIT_ARCH = (0xC000003E, 0xC00000B7)
_X32_BIT = 0x40000000

# Every CLONE_NEW* flag: time, mount, cgroup, uts, ipc, user, pid and network namespace.
_CLONE_NEW = (
    0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000
)
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)

# Operation codes of classic BPF, and offsets into the kernel's `struct seccomp_data`.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARGUMENT_0 = 0, 4, 16
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000


def machine_supported() -> bool:
    """Say whether the filter knows the system-call numbers of this processor."""
    return platform.machine() in _MACHINES


def syscall_filter() -> bytes:
    """Build the filter for this processor.

    Returns:
        The BPF program, as the bytes that ``bwrap --seccomp`` reads from a descriptor.

    Raises:
        KeyError: The processor is neither x86_64 nor aarch64 (see `machine_supported`).
    """
    column = _MACHINES[platform.machine()]
    # Another ABI (32-bit x86, x32) has other numbers, so the list below would not hold for it.
    program = [
        _op(_LOAD, _ARCH),
        _op(_EQUAL, _AUDIT_ARCH[column], 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER),
    ]
    if column == 0:
        program += [_op(_AT_LEAST, _X32_BIT, 0, 1), _op(_RETURN, _KILL)]
    for numbers in _FORBIDDEN.values():
        program += _refuse(numbers[column], errno.EPERM)
    # The flags of clone3 lie in memory that a filter can't read; told that clone3 does not exist,
    # the C library falls back to clone, whose flags we see.
    program += _refuse(_CLONE3[column], errno.ENOSYS)
    program += [
        _op(_EQUAL, _CLONE[column], 0, 4),
        _op(_LOAD, _ARGUMENT_0),
        _op(_ANY_BIT, _CLONE_NEW, 0, 1),
        _op(_RETURN, _FAIL | errno.EPERM),
        _op(_RETURN, _ALLOW),
        _op(_EQUAL, _SOCKET[column], 0, 2 + len(_FAMILIES)),
        _op(_LOAD, _ARGUMENT_0),
    ]
    for position, family in enumerate(_FAMILIES):
        program.append(_op(_EQUAL, family, len(_FAMILIES) - position, 0))
    program += [_op(_RETURN, _FAIL | errno.EAFNOSUPPORT), _op(_RETURN, _ALLOW)]
    return b"".join(program)


def _refuse(number: int, error: int) -> list[bytes]:
    return [_op(_EQUAL, number, 0, 1), _op(_RETURN, _FAIL | error)]


def _op(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
