//! Files that are written beside those of other processes.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::thread;

use super::replace::Temporary;
use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

#[test]
fn no_other_user_can_open_a_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::find(&folder.path().join("k")).unwrap();
    let temporary = Temporary::create(place.folder.as_fd(), b".k.").unwrap();
    let [name] = &names(folder.path())[..] else { panic!("one file") };
    let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert!(name.starts_with(".k.") && name.len() == 9, "{name}");
    drop(temporary);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn what_a_killed_process_left_is_removed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k");
    let stay = [".k.abcde", ".k.abcdefg", ".k.abc-ef", ".kk.abcdef", "k.abcdef", ".k.abcdef.prom", ".k."];
    for name in stay {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::create_dir(folder.path().join(".k.folder")).unwrap();
    symlink("k", folder.path().join(".k.symlin")).unwrap();
    fs::write(folder.path().join(".k.linked"), "").unwrap();
    fs::hard_link(folder.path().join(".k.linked"), folder.path().join("other")).unwrap();
    let before = names(folder.path());

    let place = Place::find(&file).unwrap();
    // A process that is killed unlocks its file, and does nothing more.
    let mut killed = Temporary::create(place.folder.as_fd(), b".k.").unwrap();
    killed.name = None;
    drop(killed);
    fs::write(folder.path().join(".k.xyzXYZ"), "").unwrap();
    let writing = Temporary::create(place.folder.as_fd(), b".k.").unwrap();
    assert_eq!(names(folder.path()).len(), before.len() + 3);

    write_atomic(&file, b"new").unwrap();
    assert_eq!(names(folder.path()).len(), before.len() + 2, "the one that is written, and the new file");
    writing.rename(OsStr::new("k")).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"");
    let mut expected = before;
    expected.push("k".to_owned());
    expected.sort();
    assert_eq!(names(folder.path()), expected);
}

#[test]
fn many_writers_at_once_leave_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k");
    let whole = |writer: u8| vec![b'a' + writer; 50_000];
    thread::scope(|scope| {
        for writer in 0..8 {
            let file = &file;
            scope.spawn(move || (0..20).for_each(|_| write_atomic(file, &whole(writer)).unwrap()));
        }
    });
    let found = fs::read(&file).unwrap();
    assert!((0..8).any(|writer| found == whole(writer)));
    assert_eq!(names(folder.path()), ["k"]);
}

#[test]
fn a_path_leads_where_the_kernel_says() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/b/k"), "old").unwrap();
    symlink("a/b", at("dir")).unwrap();
    symlink("../dir/./k", at("a/link")).unwrap();
    symlink(at("a/link"), at("chain")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("a/b/new", at("dangling")).unwrap();
    for path in ["a/b/k", "dir/k", "a/link", "chain", "./a//b/../b/k", "dir/../b/k"] {
        assert!(is_same(&at(path), &at("a/b/k")), "{path}");
        write_atomic(&at(path), path.as_bytes()).unwrap();
        assert_eq!(fs::read(at("a/b/k")).unwrap(), path.as_bytes());
    }
    assert!(fs::symlink_metadata(at("chain")).unwrap().is_symlink());
    assert!(is_same(&at("dir/new"), &at("a/b/new")) && !is_same(&at("a/b/new"), &at("a/new")));
    for (path, words) in [
        ("loop", "Too many levels of symbolic links"),
        ("dangling", "a dangling symbolic link"),
        ("a/b/k/", "Not a directory"),
        ("a/b/k/x", "Not a directory"),
        ("dir", "a directory"),
        ("dir/", "a directory"),
        ("dir/.", "a directory"),
        ("dir/..", "a directory"),
        ("none/k", "create its directory first"),
    ] {
        let error = write_atomic(&at(path), b"").unwrap_err().to_string();
        assert!(error.contains(words), "{path}: {error}");
    }
    assert!(write_atomic(Path::new(""), b"").is_err());

    // By a link of proc, whose text may be another file's name.
    let open = File::open(at("a/b/k")).unwrap();
    let link = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
    write_atomic(&link, b"by number").unwrap();
    assert_eq!(fs::read(at("a/b/k")).unwrap(), b"by number");
    let error = write_atomic(&link, b"").unwrap_err().to_string();
    assert!(error.contains("deleted") || error.contains("dangling"), "{error}");
    assert!(is_same(Path::new("/proc/self/cwd/x"), Path::new("x")));
}

#[test]
fn a_pipe_is_read_to_its_end_and_a_fifo_is_not_waited_for() {
    let (reader, mut writer) = io::pipe().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    let found = thread::scope(|scope| {
        let read = scope.spawn(|| read(&path));
        thread::sleep(std::time::Duration::from_millis(50));
        io::Write::write_all(&mut writer, b"late").unwrap();
        drop(writer);
        read.join().unwrap()
    });
    assert_eq!(found.unwrap(), b"late");

    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::from_raw_mode(0o600)).unwrap();
    for (path, words) in [(fifo.as_path(), "no process has written"), (Path::new("/dev/zero"), "may never end")] {
        let error = read(path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
