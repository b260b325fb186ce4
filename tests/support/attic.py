"""A filesystem of another kind, for tests of what is not local."""

import io

from apache_beam.io.filesystem import FileMetadata, FileSystem, MatchResult


class Attic(FileSystem):
    """Files in memory that are there when they are closed, as an object store has them."""

    held: dict = {}  # noqa: RUF012

    @classmethod
    def scheme(cls):
        return "attic"

    def join(self, basepath, *paths):
        return "/".join([basepath, *paths])

    def split(self, path):
        return path.rsplit("/", 1)

    def has_dirs(self):
        return False

    def exists(self, path):
        return path in self.held

    def create(self, path, mime_type=None, compression_type=None):
        class Growing(io.BytesIO):
            def close(growing):  # noqa: N805
                self.held[path] = growing.getvalue()
                super().close()

        return Growing()

    def open(self, path, mime_type=None, compression_type=None):
        return io.BytesIO(self.held[path])

    def match(self, patterns, limits=None):
        import fnmatch

        return [
            MatchResult(
                pattern,
                [
                    FileMetadata(name, len(data))
                    for name, data in self.held.items()
                    if fnmatch.fnmatch(name, pattern)
                ],
            )
            for pattern in patterns
        ]

    def delete(self, paths):
        for path in paths:
            del self.held[path]

    def _none(self, *_):
        raise NotImplementedError

    _list = mkdirs = copy = rename = size = last_updated = checksum = metadata = _none
