"""Runs a program without some system calls, each of which fails with ENOSYS as under an old seccomp profile.

refuse.py NUMBER[,NUMBER...] PROGRAM [ARGUMENT...]
"""

import ctypes
import errno
import os
import struct
import sys

import scene

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
# Classic BPF: load the number of the call, jump if equal, return.
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


instructions = [(LOAD, 0, 0, 0)]
for number in map(int, sys.argv[1].split(",")):
    instructions += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.ENOSYS)]
instructions.append((RETURN, 0, 0, SECCOMP_RET_ALLOW))
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in instructions))
scene.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
program = Program(len(instructions), ctypes.addressof(code))
scene.call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))
os.execv(sys.argv[2], sys.argv[2:])
