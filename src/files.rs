//! Files that the user names: read whole, and replaced atomically. Both with the privileges of the user, not with the capabilities of the
//! program file.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::privilege::without_capabilities;
use crate::sys::reason;

/// The mode of a new file, before the umask applies.
const NEW_FILE: u32 = 0o666;

/// Maximum number of bytes of a file's name that the name of its temporary file repeats: a name has 255 bytes at most.
const MAX_PREFIX: usize = 200;

/// A file cannot be written.
#[derive(Debug, Error)]
#[error("{}: {cause}", path.escape_debug())]
pub struct Error {
    /// Lossily, if it is not UTF-8.
    path: String,
    cause: Cause,
}

impl Error {
    pub(crate) fn new(path: &Path, cause: impl Into<Cause>) -> Self {
        Self { path: path.to_string_lossy().into_owned(), cause: cause.into() }
    }
}

#[derive(Debug, Error)]
pub(crate) enum Cause {
    /// It cannot be created, written or renamed.
    #[error("cannot write this file: {}{}", reason(.0), hint(.0))]
    Failed(#[from] io::Error),
    /// The path leads to something else than a regular file: its type, with its article.
    #[error("this is {0}, not a regular file that can be replaced; give the path of a file")]
    NotReplaceable(&'static str),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; create its directory first",
        io::ErrorKind::PermissionDenied => "; its directory must be writable, because the file is replaced",
        _ => "",
    }
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    without_capabilities(|| fs::read(path))
}

/// Writes a temporary file beside that one and renames it: a reader finds either the old or the new file, whole, even after a crash.
/// The target of a symbolic link is replaced, not the link. An existing file keeps its mode and, where we may change it, its owner.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    without_capabilities(|| replace(path, bytes)).map_err(|cause| Error::new(path, cause))
}

/// Whether two paths lead to the same file, which need not exist yet.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let is_same = || one == other || canonical(one).is_some_and(|one| Some(one) == canonical(other));
    without_capabilities(is_same)
}

fn canonical(path: &Path) -> Option<PathBuf> {
    match path.canonicalize() {
        Ok(path) => Some(path),
        Err(_) => Some(folder(path).canonicalize().ok()?.join(path.file_name()?)),
    }
}

/// The directory that a path is in: `.` for a bare name.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), Cause> {
    let (path, old) = target(path)?;
    let name = path.file_name().ok_or(Cause::NotReplaceable("a directory"))?.as_bytes();
    let name = OsStr::from_bytes(&name[..name.len().min(MAX_PREFIX)]);
    let prefix = [OsStr::new("."), name, OsStr::new(".")].map(OsStr::to_owned).into_iter().collect::<OsString>();
    // The temporary name ends in random letters, so that a collector of *.prom does not read it.
    let mut file = tempfile::Builder::new()
        .prefix(&prefix)
        .permissions(Permissions::from_mode(NEW_FILE))
        .tempfile_in(folder(&path))?;
    if let Some(old) = old {
        // Only root may change the owner; otherwise the new file belongs to us.
        let _ = fchown(file.as_file(), Some(old.uid()), Some(old.gid()));
        file.as_file().set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// The path to replace, with all links resolved, and the file that is there.
fn target(path: &Path) -> Result<(PathBuf, Option<Metadata>), Cause> {
    if let Err(error) = fs::symlink_metadata(path) {
        return if error.kind() == io::ErrorKind::NotFound { Ok((path.to_owned(), None)) } else { Err(error.into()) };
    }
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Cause::NotReplaceable("a dangling symbolic link"));
        }
        metadata => metadata?,
    };
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok((fs::canonicalize(path)?, Some(metadata)));
    }
    let name = [(kind.is_dir(), "a directory"), (kind.is_fifo(), "a pipe or FIFO"), (kind.is_socket(), "a socket")];
    Err(Cause::NotReplaceable(name.into_iter().find(|(is_it, _)| *is_it).map_or("a device", |(_, name)| name)))
}
