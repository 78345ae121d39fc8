//! Files that the user names: read, and replaced in one stroke. With the rights of the user, not with those that the program file may
//! have to look at processes.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread;

use crate::error::Error;
use crate::observe::proc::renounce;

/// The mode of a new file, from which the umask takes.
const NEW: u32 = 0o666;

/// So much of the name of a file its successor has in its own, until it takes its place.
const MOST_OF_NAME: usize = 200;

/// Reads a whole file.
///
/// # Errors
///
/// Those of open(2) and read(2).
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    as_user(|| fs::read(path))
}

/// Writes a file beside that one and gives it its name: whoever opens it finds the old or the new one, whole, whatever becomes of us.
/// What a symbolic link leads to is replaced, not the link; a file that is there keeps its mode, and where we may give it away, its owner.
///
/// # Errors
///
/// If there is something else than a plain file, or the folder cannot be written to.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let name = || path.to_string_lossy().into_owned();
    match as_user(|| Ok(replace_in_place(path, bytes))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Refusal::Is(what))) => Err(Error::NotReplaceable { path: name(), what }),
        Ok(Err(Refusal::Failed(source))) | Err(source) => Err(Error::WriteFile { path: name(), source }),
    }
}

/// Whether two paths lead to one file, which need not be there yet.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let of_new = || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Some(folder.unwrap_or_else(|| Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
        };
        path.canonicalize().ok().or_else(of_new)
    };
    as_user(|| Ok(one == other || place(one).is_some_and(|one| Some(one) == place(other)))).unwrap_or(false)
}

enum Refusal {
    /// It is that, and must not be replaced.
    Is(&'static str),
    Failed(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

fn replace_in_place(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let (path, was) = target(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    // As much of the name as leaves room for what is added: a name has 255 bytes at most.
    let name = path.file_name().ok_or(Refusal::Is("a directory"))?.as_bytes();
    let name = OsStr::from_bytes(&name[..name.len().min(MOST_OF_NAME)]);
    let prefix = [OsStr::new("."), name, OsStr::new(".")].map(OsStr::to_owned).into_iter().collect::<OsString>();
    // The name that it has until it is whole ends in random letters, so that nobody who looks for *.prom reads it.
    let mut file =
        tempfile::Builder::new().prefix(&prefix).permissions(Permissions::from_mode(NEW)).tempfile_in(folder)?;
    if let Some(was) = was {
        // Only root may give a file away, and whoever may not has one of his own instead.
        let _ = fchown(file.as_file(), Some(was.uid()), Some(was.gid()));
        file.as_file().set_permissions(Permissions::from_mode(was.mode() & 0o7777))?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// Which name is to be replaced, and whose is what has it.
fn target(path: &Path) -> Result<(PathBuf, Option<Metadata>), Refusal> {
    if let Err(error) = fs::symlink_metadata(path) {
        return if error.kind() == io::ErrorKind::NotFound { Ok((path.to_owned(), None)) } else { Err(error.into()) };
    }
    let kind = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Refusal::Is("a symbolic link that leads to no file"));
        }
        kind => kind?,
    };
    let file_type = kind.file_type();
    match () {
        () if kind.is_file() => Ok((fs::canonicalize(path)?, Some(kind))),
        () if kind.is_dir() => Err(Refusal::Is("a directory")),
        () if file_type.is_fifo() => Err(Refusal::Is("a pipe or FIFO")),
        () if file_type.is_socket() => Err(Refusal::Is("a socket")),
        () => Err(Refusal::Is("a device")),
    }
}

/// In a thread that has given up the capabilities of the program file.
fn as_user<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().spawn_scoped(scope, || {
            renounce();
            work()
        })?;
        worker.join().unwrap_or_else(|_| Err(io::Error::other("the thread that does it has failed")))
    })
}
