"""Which file system a path is on: databases with locks and memory maps do not survive on network file systems."""

from __future__ import annotations

from pathlib import Path

NETWORK_KINDS = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "glusterfs", "beegfs", "gpfs", "davfs")
)
NETWORK_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.davfs", "fuse.goofys")


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """Kind of the network file system that `path` is on; None when it is local or cannot be told.

    Args:
        path: a file or folder; the part of it that exists decides.
        mounts: content of /proc/self/mountinfo, for tests.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text()
        except OSError:
            return None
    resolved = path.resolve()
    best, kind = -1, ""
    for line in mounts.splitlines():
        mount, separator, source = line.partition(" - ")
        fields = mount.split()
        if not separator or len(fields) < 5 or not source:
            continue
        point = Path(fields[4].replace("\\040", " "))
        if resolved.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), source.split()[0]
    return kind if kind in NETWORK_KINDS or kind.startswith(NETWORK_FUSE) else None
