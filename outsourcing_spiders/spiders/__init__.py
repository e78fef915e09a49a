"""One platform a file: file, spider and platform share a name."""
