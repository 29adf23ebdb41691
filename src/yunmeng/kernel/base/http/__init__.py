"""A lean HTTP client for what the parts of a node say to each other and to other servers."""

from yunmeng.kernel.base.http.client import HttpClient
from yunmeng.kernel.base.http.connection import HttpAnswer, HttpTrouble, LeftIdle, TooLong

__all__ = ["HttpAnswer", "HttpClient", "HttpTrouble", "LeftIdle", "TooLong"]
