"""AES-128 of whole segments, as HLS asks for it."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7


def encrypt_segment(path: Path, *, key: bytes, iv: bytes) -> bytes:
    """The segment in `path` under AES-128-CBC with PKCS#7 padding (RFC 8216 §4.3.2.4).

    Raises:
        ValueError: key or IV isn't 16 bytes long.
    """
    if len(key) != 16 or len(iv) != 16:
        raise ValueError("AES-128 takes a key and an IV of 16 bytes")
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    padded = padder.update(path.read_bytes()) + padder.finalize()
    return encryptor.update(padded) + encryptor.finalize()
