"""Compressed messages of a session that negotiated them: one byte that says how, then the bytes.

Uses python3-lz4 and python3-zstandard where they are installed. lz4 is a little-endian length and one raw block.
"""

try:
    import lz4.block
except ImportError:
    lz4 = None
try:
    import zstandard
except ImportError:
    zstandard = None

from .wire import PAYLOAD_BYTES_MAX

PLAIN, LZ4, ZSTD = 0, 1, 2
CODES = {"lz4": LZ4, "zstd": ZSTD}
NAMES = {code: name for name, code in CODES.items()}
RATIO_MAX = 256
WORTH_BYTES_MIN = 64


class CompressionViolation(Exception):
    """What came cannot, or must not, be decompressed: said in one sentence."""


def missing(names):
    """The Debian packages that these algorithms want and that are not there."""
    wanted = {"lz4": (lz4, "python3-lz4"), "zstd": (zstandard, "python3-zstandard")}
    return [package for module, package in (wanted[name] for name in names) if module is None]


def pack(message, name):
    """The plaintext of a sealed packet: compressed where that makes it shorter."""
    packed = compress(message, name) if len(message) >= WORTH_BYTES_MIN else message
    # What unpacks to more than so many times its size is refused.
    if len(packed) < len(message) <= RATIO_MAX * len(packed):
        return bytes([CODES[name]]) + packed
    return bytes([PLAIN]) + message


def unpack(plaintext, name):
    if not plaintext:
        raise CompressionViolation("a plaintext without its first byte")
    flag, content = plaintext[0], plaintext[1:]
    if flag == PLAIN:
        return content
    if flag != CODES[name]:
        raise CompressionViolation(f"compression {flag} was not negotiated")
    return decompress(content, name)


def compress(content, name):
    if name == "lz4":
        return lz4.block.compress(content, store_size=True)
    return zstandard.ZstdCompressor(level=1).compress(content)


def decompress(content, name):
    return _lz4_opened(content) if name == "lz4" else _zstd_opened(content)


def _lz4_opened(content):
    announced = int.from_bytes(content[:4], "little")
    if len(content) < 4 or announced > PAYLOAD_BYTES_MAX:
        raise CompressionViolation(f"lz4 announces {announced} bytes")
    try:
        return lz4.block.decompress(content)
    except (ValueError, lz4.block.LZ4BlockError) as error:
        raise CompressionViolation("an lz4 block is malformed") from error


def _zstd_opened(content):
    try:
        frames = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True)
        opened = frames.read(PAYLOAD_BYTES_MAX + 1)
    except zstandard.ZstdError as error:
        raise CompressionViolation("a zstd frame is malformed") from error
    if len(opened) > PAYLOAD_BYTES_MAX:
        raise CompressionViolation("a zstd frame holds more than a payload may")
    return opened
