"""Checkpoints written by hand, opcode by opcode, as no PyTorch would write them."""

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

CONTENT = struct.pack("<4f", 1.0, 2.0, 3.0, 4.0)
MAGIC = 0x1950A86A20F9469CFC6C


def encode(value: Any) -> bytes:
    """The opcodes that push a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"t" + b"R"


def storage(*, key: Any = "0", num_values: Any = 4, kind: str = "FloatStorage") -> bytes:
    parts = (encode("storage"), name("torch", kind), encode(key), encode("cpu"), encode(num_values))
    return b"(" + b"".join(parts) + b"t" + b"Q"


def tensor(
    offset: Any = 0, shape: Any = (4,), strides: Any = (1,), held_by: bytes | None = None
) -> bytes:
    arguments = (encode(offset), encode(shape), encode(strides), encode(False), encode(None))
    held_by = storage() if held_by is None else held_by
    return call(name("torch._utils", "_rebuild_tensor_v2"), held_by, *arguments)


def state_dict(**values: bytes) -> bytes:
    return b"}" + b"(" + b"".join(encode(key) + value for key, value in values.items()) + b"u"


def write_zip(
    path: Path,
    value: bytes,
    *,
    byte_order: str = "little",
    content: bytes = CONTENT,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + value + b".")
        archive.writestr("archive/byteorder", byte_order)
        archive.writestr("archive/data/0", content)
    return path


def write_legacy(
    path: Path,
    value: bytes,
    *,
    keys: Any = ("0",),
    version: int = 1001,
    is_little_endian: bool = True,
    num_values: int = 4,
    content: bytes = CONTENT,
) -> Path:
    system = {"little_endian": is_little_endian}
    head = b"".join(pickle.dumps(part, 2) for part in (MAGIC, version, system))
    length = num_values.to_bytes(8, "little" if is_little_endian else "big")
    body = b"\x80\x02" + value + b"." + pickle.dumps(list(keys), 2)
    path.write_bytes(head + body + length + content)
    return path
