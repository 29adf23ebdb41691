"""Terminal parameters: ids, names and kinds of table 12 (2013) and 10 (2019), and of JT/T 1078 table 2."""

from yunmeng.kernel.base import BadInput

_DWORDS = {
    0x0001: "heartbeat_s",
    0x0002: "tcp_timeout_s",
    0x0003: "tcp_retries",
    0x0004: "udp_timeout_s",
    0x0005: "udp_retries",
    0x0006: "sms_timeout_s",
    0x0007: "sms_retries",
    0x0018: "tcp_port",
    0x0019: "udp_port",
    0x001B: "card_tcp_port",
    0x001C: "card_udp_port",
    0x0020: "report_strategy",
    0x0021: "report_scheme",
    0x0022: "report_logged_out_s",
    0x0027: "report_asleep_s",
    0x0028: "report_emergency_s",
    0x0029: "report_s",
    0x002C: "report_m",
    0x002D: "report_logged_out_m",
    0x002E: "report_asleep_m",
    0x002F: "report_emergency_m",
    0x0030: "turn_degrees",
    0x0045: "answer_mode",
    0x0046: "call_s",
    0x0047: "call_month_s",
    0x0050: "alarm_mask",
    0x0051: "alarm_sms_mask",
    0x0052: "alarm_photo_mask",
    0x0053: "alarm_photo_keep_mask",
    0x0054: "alarm_key_mask",
    0x0055: "speed_limit_kmh",
    0x0056: "overspeed_s",
    0x0057: "driving_limit_s",
    0x0058: "driving_day_limit_s",
    0x0059: "rest_least_s",
    0x005A: "parking_limit_s",
    0x0064: "photo_timed",
    0x0065: "photo_distance",
    0x0070: "picture_quality",
    0x0071: "brightness",
    0x0072: "contrast",
    0x0073: "saturation",
    0x0074: "chroma",
    0x0080: "odometer_100m",
    0x0093: "gnss_collect_s",
    0x0095: "gnss_upload",
    0x0100: "can1_collect_ms",
    0x0102: "can2_collect_ms",
    0x007A: "video_alarm_mask",
}
_WORDS = {
    0x0031: "fence_radius_m",
    0x005B: "overspeed_warning_100mh",
    0x005C: "fatigue_warning_s",
    0x005D: "collision",
    0x005E: "rollover_degrees",
    0x0081: "province",
    0x0082: "county",
    0x0101: "can1_upload_s",
    0x0103: "can2_upload_s",
}
_BYTES = {
    0x0084: "plate_colour",
    0x0090: "gnss_mode",
    0x0091: "gnss_baud",
    0x0092: "gnss_output",
    0x0094: "gnss_upload_mode",
}
_TEXTS = {
    0x0010: "apn",
    0x0011: "apn_user",
    0x0012: "apn_password",
    0x0013: "server",
    0x0014: "backup_apn",
    0x0015: "backup_apn_user",
    0x0016: "backup_apn_password",
    0x0017: "backup_server",
    0x001A: "card_server",
    0x001D: "card_backup_server",
    0x0023: "slave_apn",
    0x0024: "slave_apn_user",
    0x0025: "slave_apn_password",
    0x0026: "slave_server",
    0x0040: "platform_phone",
    0x0041: "reset_phone",
    0x0042: "factory_phone",
    0x0043: "sms_phone",
    0x0044: "sms_alarm_phone",
    0x0048: "monitor_phone",
    0x0049: "privileged_sms",
    0x0083: "plate",
}
_SIZES = {4: _DWORDS, 2: _WORDS, 1: _BYTES, 0: _TEXTS}
_NAMES = {id: name for table in _SIZES.values() for id, name in table.items()}
_KINDS = {id: size for size, table in _SIZES.items() for id in table}
_IDS = {name: id for id, name in _NAMES.items()}


def title_of(id: int) -> str:
    """Returns a parameter's name, its number in hex where it has none."""
    return _NAMES.get(id, f"0x{id:04X}")


def id_of(title: str) -> int:
    """Returns the id of a name or of a number in hex. Raises ``command.arguments``."""
    try:
        return _IDS[title] if title in _IDS else int(title, 16)
    except ValueError:
        raise BadInput("command.arguments", name="parameters", reason=title) from None


def read_value(id: int, content: bytes) -> int | str:
    """Reads a value after its kind; of an unknown parameter, or of another size, its bytes in hex."""
    size = _KINDS.get(id)
    if size == 0:
        return content.rstrip(b"\0").decode("gbk", "replace")
    return int.from_bytes(content) if size == len(content) else content.hex()


def write_value(id: int, value: object) -> bytes:
    """Writes a value after its kind; of an unknown parameter, text as hex bytes and a number as four.

    Raises ``command.arguments`` for a value that does not fit.
    """
    size = _KINDS.get(id)
    try:
        if size == 0:
            return str(value).encode("gbk")
        if size is None and isinstance(value, str):
            return bytes.fromhex(value)
        return int(str(value)).to_bytes(size or 4)
    except (ValueError, OverflowError) as cause:
        raise BadInput("command.arguments", name=title_of(id), reason=str(cause)) from cause
