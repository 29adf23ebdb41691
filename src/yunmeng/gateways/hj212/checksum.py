"""The checksum of HJ 212 (annex A): it is not that of Modbus, for it takes bytes in from the other side."""


def crc16_hj212(data: bytes) -> int:
    """Returns the checksum of a data segment."""
    # Only the register's upper half goes on to the next byte, by a linear map that is the identity after
    # eight steps. So bytes eight apart may be put together by exclusive or first, on one long number, and
    # 0xFF (the register's start) goes with the first byte.
    size = len(data)
    if not size:
        return 0xFFFF
    number, words = int.from_bytes(data, "big") ^ (0xFF << 8 * (size - 1)), (size + 7) // 8
    while words > 1:
        half = words >> 1
        number = (number >> 64 * half) ^ (number & ((1 << 64 * half) - 1))
        words -= half
    *first, last = number.to_bytes(8, "big")
    state = 0
    for byte in first:
        state = _TABLE[state ^ byte] >> 8
    return _TABLE[state ^ last]


def _shifted(register: int) -> int:
    for _ in range(8):
        register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return register


_TABLE = tuple(_shifted(byte) for byte in range(256))
