"""Objects 存: files by key; a folder or an S3-compatible store behind one port."""
