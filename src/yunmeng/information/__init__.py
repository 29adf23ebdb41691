"""Information infrastructure 新基础."""
