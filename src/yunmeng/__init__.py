"""Yunmeng 云梦: sense 感, transport 传, store 存, compute 算, serve 用 as one installable system."""

__version__ = "0.1.0"
