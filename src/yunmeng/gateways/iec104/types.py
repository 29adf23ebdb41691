"""The type identifications of 104 (table 7 ff.) and the elements that an object of each consists of."""

from collections.abc import Mapping

import msgspec

SIZES: Mapping[str, int] = {
    "siq": 1,
    "diq": 1,
    "vti": 1,
    "bsi": 4,
    "nva": 2,
    "sva": 2,
    "r32": 4,
    "bcr": 5,
    "scd": 4,
    "sep": 1,
    "spe": 1,
    "oci": 1,
    "qds": 1,
    "qdp": 1,
    "cp16": 2,
    "cp56": 7,
    "sco": 1,
    "dco": 1,
    "rco": 1,
    "qos": 1,
    "coi": 1,
    "qoi": 1,
    "qcc": 1,
    "fbp": 2,
    "qrp": 1,
    "tsc": 2,
    "qpm": 1,
    "qpa": 1,
}
"""Octets of each information element (101, 7.2.6)."""


class Type(msgspec.Struct, frozen=True):
    """One type identification."""

    name: str
    elements: tuple[str, ...]

    @property
    def size(self) -> int:
        """Octets of one object without its address."""
        return sum(SIZES[element] for element in self.elements)

    @property
    def timed(self) -> bool:
        """Whether its objects bear a time."""
        return self.elements[-1:] == ("cp56",)

    def offset(self, element: str) -> int:
        """Returns where an element begins."""
        return sum(SIZES[each] for each in self.elements[: self.elements.index(element)])


def _type(name: str, elements: str) -> Type:
    return Type(name, tuple(elements.split()))


TYPES: Mapping[int, Type] = {
    1: _type("M_SP_NA_1", "siq"),
    3: _type("M_DP_NA_1", "diq"),
    5: _type("M_ST_NA_1", "vti qds"),
    7: _type("M_BO_NA_1", "bsi qds"),
    9: _type("M_ME_NA_1", "nva qds"),
    11: _type("M_ME_NB_1", "sva qds"),
    13: _type("M_ME_NC_1", "r32 qds"),
    15: _type("M_IT_NA_1", "bcr"),
    20: _type("M_PS_NA_1", "scd qds"),
    21: _type("M_ME_ND_1", "nva"),
    30: _type("M_SP_TB_1", "siq cp56"),
    31: _type("M_DP_TB_1", "diq cp56"),
    32: _type("M_ST_TB_1", "vti qds cp56"),
    33: _type("M_BO_TB_1", "bsi qds cp56"),
    34: _type("M_ME_TD_1", "nva qds cp56"),
    35: _type("M_ME_TE_1", "sva qds cp56"),
    36: _type("M_ME_TF_1", "r32 qds cp56"),
    37: _type("M_IT_TB_1", "bcr cp56"),
    38: _type("M_EP_TD_1", "sep cp16 cp56"),
    39: _type("M_EP_TE_1", "spe qdp cp16 cp56"),
    40: _type("M_EP_TF_1", "oci qdp cp16 cp56"),
    45: _type("C_SC_NA_1", "sco"),
    46: _type("C_DC_NA_1", "dco"),
    47: _type("C_RC_NA_1", "rco"),
    48: _type("C_SE_NA_1", "nva qos"),
    49: _type("C_SE_NB_1", "sva qos"),
    50: _type("C_SE_NC_1", "r32 qos"),
    51: _type("C_BO_NA_1", "bsi"),
    58: _type("C_SC_TA_1", "sco cp56"),
    59: _type("C_DC_TA_1", "dco cp56"),
    60: _type("C_RC_TA_1", "rco cp56"),
    61: _type("C_SE_TA_1", "nva qos cp56"),
    62: _type("C_SE_TB_1", "sva qos cp56"),
    63: _type("C_SE_TC_1", "r32 qos cp56"),
    64: _type("C_BO_TA_1", "bsi cp56"),
    70: _type("M_EI_NA_1", "coi"),
    100: _type("C_IC_NA_1", "qoi"),
    101: _type("C_CI_NA_1", "qcc"),
    102: _type("C_RD_NA_1", ""),
    103: _type("C_CS_NA_1", "cp56"),
    104: _type("C_TS_NA_1", "fbp"),
    105: _type("C_RP_NA_1", "qrp"),
    106: _type("C_CD_NA_1", "cp16"),
    107: _type("C_TS_TA_1", "tsc cp56"),
    110: _type("P_ME_NA_1", "nva qpm"),
    111: _type("P_ME_NB_1", "sva qpm"),
    112: _type("P_ME_NC_1", "r32 qpm"),
    113: _type("P_AC_NA_1", "qpa"),
}
"""What is taken; files (120 to 127) and private types are refused."""

INITIALISED = 70
LAST_MONITORED = 40
"""Types up to here bring information from the process."""
