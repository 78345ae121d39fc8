//! The reader against types that the test makes, and against any bytes.

use proptest::prelude::*;

use super::*;
use crate::observe::kernel::programs::files;

/// Builds BTF, type by type.
#[derive(Default)]
pub(in crate::observe::kernel) struct Builder {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

/// A member: name, type, offset in bits.
type Member = (&'static str, u32, u32);

impl Builder {
    fn name(&mut self, name: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if name.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.strings.len()).expect("short");
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        at
    }

    /// Adds a type and returns its number.
    fn add(&mut self, kind: u32, name: &str, flags: u32, len: usize, size_or_type: u32, rest: &[u32]) -> u32 {
        let info = flags | kind << 24 | u32::try_from(len).expect("short");
        let name = self.name(name);
        for word in [name, info, size_or_type].iter().chain(rest) {
            self.types.extend(word.to_ne_bytes());
        }
        self.count += 1;
        self.count
    }

    fn int(&mut self, name: &str, size: u32) -> u32 {
        self.add(kind::INT, name, 0, 0, size, &[size * 8])
    }

    fn pointer(&mut self, to: u32) -> u32 {
        self.add(kind::PTR, "", 0, 0, to, &[])
    }

    fn array(&mut self, of: u32, len: u32) -> u32 {
        self.add(kind::ARRAY, "", 0, 0, 0, &[of, 1, len])
    }

    fn composite(&mut self, kind: u32, name: &str, flags: u32, size: u32, members: &[Member]) -> u32 {
        let mut rest = Vec::new();
        for (name, of, bits) in members {
            rest.extend([self.name(name), *of, *bits]);
        }
        self.add(kind, name, flags, members.len(), size, &rest)
    }

    fn structure(&mut self, name: &str, size: u32, members: &[Member]) -> u32 {
        self.composite(kind::STRUCT, name, 0, size, members)
    }

    fn function(&mut self, name: &str, parameters: &[(&str, u32)]) -> u32 {
        let mut rest = Vec::new();
        for (name, of) in parameters {
            rest.extend([self.name(name), *of]);
        }
        let signature = self.add(kind::FUNC_PROTO, "", 0, parameters.len(), 0, &rest);
        self.add(kind::FUNC, name, 0, 1, signature, &[])
    }

    pub(in crate::observe::kernel) fn finish(&self) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short");
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        // Version and flags.
        bytes.extend([1, 0]);
        for word in [24, 0, length(&self.types), length(&self.types), length(&self.strings)] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(&self.types);
        bytes.extend(&self.strings);
        bytes
    }

    fn parse(&self) -> Btf<Vec<u8>> {
        Btf::parse(self.finish(), []).expect("well-formed").0
    }
}

/// The members of structures that the program over files reads, with other offsets than those of any kernel.
pub(in crate::observe::kernel) fn kernel_types() -> Vec<u8> {
    let mut b = Builder::default();
    let (long, int, short) = (b.int("unsigned long", 8), b.int("unsigned int", 4), b.int("unsigned short", 2));
    let long_pointer = b.pointer(long);
    let seq = b.structure("seq_file", 8, &[("count", long, 0)]);
    let seq = b.pointer(seq);
    let meta = b.structure("bpf_iter_meta", 24, &[("session_id", long, 64), ("seq", seq, 0)]);
    let meta = b.pointer(meta);
    let upid = b.structure("upid", 16, &[("ns", long, 64), ("nr", int, 0)]);
    let numbers = b.array(upid, 0);
    let pid = b.structure("pid", 96, &[("count", int, 0), ("level", int, 32), ("numbers", numbers, 768)]);
    let pid = b.pointer(pid);
    let fdtable = b.structure("fdtable", 56, &[("close_on_exec", long_pointer, 128)]);
    let fdtable = b.pointer(fdtable);
    let files = b.structure("files_struct", 704, &[("fdt", fdtable, 256)]);
    let files = b.pointer(files);
    // A pointer to a structure that comes later.
    let task_type = b.count + 2;
    let leader = b.pointer(task_type);
    let task = b.structure(
        "task_struct",
        4096,
        &[
            ("tgid", int, 1024),
            ("pid", int, 1056),
            ("files", files, 8192),
            ("group_leader", leader, 16384),
            ("thread_pid", pid, 24576),
        ],
    );
    assert_eq!(task, task_type);
    let task = b.pointer(task);
    let buffer = b.structure("pipe_buffer", 40, &[("len", int, 96)]);
    let buffer = b.pointer(buffer);
    let names = ["head", "tail", "max_usage", "ring_size", "readers", "writers", "files", "r_counter", "w_counter"];
    let mut members: Vec<Member> = names.iter().zip(0..).map(|(name, n)| (*name, int, 512 + 32 * n)).collect();
    members.push(("bufs", buffer, 1024));
    let pipe = b.structure("pipe_inode_info", 192, &members);
    let pipe = b.pointer(pipe);
    let block = b.structure("super_block", 512, &[("s_dev", int, 128)]);
    let block = b.pointer(block);
    let either = b.composite(kind::UNION, "", 0, 8, &[("i_pipe", pipe, 0), ("i_link", long, 0)]);
    let inode = b.structure(
        "inode",
        640,
        &[
            ("i_mode", short, 0),
            ("i_ino", long, 64),
            ("i_sb", block, 128),
            ("i_nlink", int, 192),
            ("i_rdev", int, 224),
            ("", either, 4608),
        ],
    );
    let inode = b.pointer(inode);
    let atomic = b.structure("", 8, &[("counter", long, 0)]);
    let atomic = b.add(kind::TYPEDEF, "atomic_long_t", 0, 0, atomic, &[]);
    let file = b.structure(
        "file",
        256,
        &[("f_mode", int, 32), ("f_flags", int, 64), ("f_inode", inode, 128), ("f_count", atomic, 192)],
    );
    let file = b.pointer(file);
    b.function("bpf_iter_task_file", &[("meta", meta), ("task", task), ("fd", int), ("file", file)]);
    b.finish()
}

fn missing(of: &str) -> BtfError {
    BtfError::Missing(of.to_owned())
}

/// Offset and width.
fn at(field: Result<Field, BtfError>) -> Result<(u32, u32), BtfError> {
    field.map(|field| (field.offset, field.width))
}

#[test]
fn names() {
    let mut b = Builder::default();
    let int = b.int("int", 4);
    // A declaration, another kind and a longer name come first.
    b.structure("file", 0, &[]);
    b.function("file", &[]);
    b.structure("files", 4, &[("a", int, 0)]);
    let first = b.structure("file", 4, &[("a", int, 0)]);
    b.structure("file", 8, &[("a", int, 0)]);
    let function = b.function("open", &[("how", int)]);
    let found = b.parse().find([Named::Structure("file"), Named::Function("open"), Named::Structure("open")]);
    assert_eq!(found, [Ok(TypeId(first)), Ok(TypeId(function)), Err(missing("open"))]);
}

#[test]
fn members() {
    let mut b = Builder::default();
    let (int, char) = (b.int("int", 4), b.int("char", 1));
    let typedef = b.add(kind::TYPEDEF, "mode_t", 0, 0, int, &[]);
    let volatile = b.add(9, "", 0, 0, typedef, &[]);
    let constant = b.add(10, "", 0, 0, volatile, &[]);
    let name = b.array(char, 16);
    let names = b.array(name, 3);
    let open_end = b.array(int, 0);
    let innermost = b.structure("", 8, &[("deep", int, 32)]);
    let either = b.composite(kind::UNION, "", 0, 8, &[("", innermost, 0), ("other", char, 0)]);
    let enumeration = b.add(kind::ENUM64, "big", 0, 1, 8, &[0, 1, 0]);
    let inner = b.structure("inner", 16, &[("x", int, 64)]);
    let outer = b.structure(
        "outer",
        160,
        &[
            ("qualified", constant, 32),
            ("names", names, 64),
            ("", either, 512),
            ("inner", inner, 640),
            ("enumeration", enumeration, 768),
            ("end", open_end, 1280),
        ],
    );
    let btf = b.parse();
    let member = |path| at(btf.member(TypeId(outer), path));
    assert_eq!(member("qualified"), Ok((4, 4)));
    assert_eq!(btf.member(TypeId(outer), "qualified").map(|field| field.type_id), Ok(TypeId(int)));
    assert_eq!(member("names"), Ok((8, 48)));
    assert_eq!(member("deep"), Ok((68, 4)));
    assert_eq!(member("other"), Ok((64, 1)));
    assert_eq!(member("inner.x"), Ok((88, 4)));
    assert_eq!(member("enumeration"), Ok((96, 8)));
    assert_eq!(member("end"), Ok((160, 0)));
    assert_eq!(member("inner.y"), Err(missing("outer.inner.y")));
    assert_eq!(member("x"), Err(missing("outer.x")));
    assert_eq!(member("qualified.x"), Err(missing("outer.qualified.x")));
    assert_eq!(member(""), Err(missing("outer.")));
    assert_eq!(btf.size(TypeId(outer)), Ok(160));
    assert_eq!(btf.target(TypeId(names)), Ok(TypeId(name)));
}

/// A bit field has no address, and a structure with one keeps the width of each member beside its offset.
#[test]
fn bit_fields() {
    let mut b = Builder::default();
    let int = b.int("int", 4);
    let members = [("bits", int, 3 << 24 | 40), ("whole", int, 64)];
    let flagged = b.composite(kind::STRUCT, "flagged", 1 << 31, 16, &members);
    let old = b.structure("old", 16, &[("bits", int, 35)]);
    let btf = b.parse();
    assert_eq!(at(btf.member(TypeId(flagged), "whole")), Ok((8, 4)));
    assert_eq!(at(btf.member(TypeId(flagged), "bits")), Err(missing("flagged.bits")));
    assert_eq!(at(btf.member(TypeId(old), "bits")), Err(missing("old.bits")));
}

#[test]
fn pointers() {
    let mut b = Builder::default();
    let int = b.int("int", 4);
    let file = b.structure("file", 8, &[("a", int, 0)]);
    let tagged = b.add(kind::TYPE_TAG, "rcu", 0, 0, file, &[]);
    let pointer = b.pointer(tagged);
    let nothing = b.pointer(0);
    let function = b.function("f", &[("a", int), ("b", pointer), ("c", nothing)]);
    let declared = b.add(kind::FWD, "declared", 0, 0, 0, &[]);
    let btf = b.parse();
    let width = u32::try_from(size_of::<usize>()).expect("small");
    assert_eq!(btf.target(TypeId(pointer)), Ok(TypeId(file)));
    assert_eq!(btf.target(TypeId(nothing)), Err(missing("target of type 5")));
    assert_eq!(btf.target(TypeId(int)), Err(missing("target of int")));
    assert_eq!(at(btf.parameter(TypeId(function), "b")), Ok((8, width)));
    assert_eq!(at(btf.parameter(TypeId(function), "c")), Ok((16, width)));
    assert_eq!(at(btf.parameter(TypeId(function), "d")), Err(missing("parameter d of f")));
    assert_eq!(at(btf.parameter(TypeId(file), "a")), Err(missing("parameter a of file")));
    assert_eq!(btf.size(TypeId(declared)), Err(missing("size of declared")));
}

/// The kernel has no such types, but a look-up has to end.
#[test]
fn circles() {
    let mut b = Builder::default();
    let itself = b.structure("", 8, &[("", 1, 0), ("", 1, 0), ("", 1, 0)]);
    let typedef = b.add(kind::TYPEDEF, "t", 0, 0, 2, &[]);
    let array = b.array(3, 1);
    let btf = b.parse();
    assert_eq!(at(btf.member(TypeId(itself), "x")), Err(missing("type 1.x")));
    assert_eq!(btf.target(TypeId(typedef)), Err(missing("target of t")));
    assert_eq!(btf.size(TypeId(array)), Err(missing("size of type 3")));
}

#[test]
fn damaged() {
    let bytes = kernel_types();
    let format = |bytes: &[u8]| Btf::parse(bytes.to_vec(), []).expect_err("refused");
    assert_eq!(format(&[]), BtfError::Format);
    for length in [1, 8, 23, 24, bytes.len() - 1] {
        assert_eq!(format(&bytes[..length]), BtfError::Format, "{length} bytes");
    }
    let mut other_order = bytes.clone();
    other_order.swap(0, 1);
    assert_eq!(format(&other_order), BtfError::Format);
    // A kind that comes later.
    let mut b = Builder::default();
    b.add(20, "new", 0, 0, 0, &[]);
    assert_eq!(format(&b.finish()), BtfError::Format);
}

#[test]
fn types_of_the_test_suffice_for_the_program() {
    let (btf, [function]) = Btf::parse(kernel_types(), [files::FUNCTION]).expect("well-formed");
    assert_eq!(btf.find([files::FUNCTION])[0], function);
    files::Layout::of(&btf, function.expect("the function")).expect("complete");
}

proptest! {
    #[test]
    fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..400), is_magic in any::<bool>()) {
        if is_magic && let Some(first) = bytes.first_chunk_mut() {
            *first = MAGIC.to_ne_bytes();
        }
        look_up(&bytes);
    }

    /// Types of which some bytes are others.
    #[test]
    fn changed_bytes(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = kernel_types();
        for (index, byte) in changes {
            let place = index.index(bytes.len());
            bytes[place] = byte;
        }
        look_up(&bytes);
    }

    /// References to wrong types, which are still types.
    #[test]
    fn changed_words(changes in prop::collection::vec((any::<prop::sample::Index>(), 0..64_u32), 1..12)) {
        let mut bytes = kernel_types();
        for (index, word) in changes {
            let place = 24 + index.index(bytes.len() / 4 - 6) * 4;
            bytes[place..place + 4].copy_from_slice(&word.to_ne_bytes());
        }
        look_up(&bytes);
    }
}
