//! The types of the running kernel, from the BPF Type Format (BTF) of /sys/kernel/btf/vmlinux: where the members of its structures are and
//! how wide they are. See Documentation/bpf/btf.rst.
//!
//! Pure: takes bytes and returns for any bytes, in bounded time. Knows no structure by name.

mod search;

use std::ops::Range;

use thiserror::Error;

use self::search::{Search, is_text};

/// `BTF_MAGIC` of linux/btf.h.
const MAGIC: u16 = 0xeb9f;

/// `BTF_KIND_…` of linux/btf.h.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const PTR: u32 = 2;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const FWD: u32 = 7;
    pub(super) const TYPEDEF: u32 = 8;
    // const and volatile are 9 and 10.
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNC: u32 = 12;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const FLOAT: u32 = 16;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

/// The size of `struct btf_type`, and of `struct btf_member`, `btf_array`, `btf_enum64` and `btf_var_secinfo`.
const RECORD: usize = 12;

/// The size of `struct btf_param` and `btf_enum`.
const PAIR: usize = 8;

/// Maximum number of typedefs and qualifiers around a type, and of arrays in an array. Real ones have fewer than ten.
const MAX_DEPTH: usize = 32;

/// Maximum number of members that one look-up visits, those of anonymous structures included. `struct task_struct` has under 300.
const MAX_MEMBERS: usize = 1 << 16;

/// Why something is not found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum BtfError {
    /// It is not BTF, or of a kind that is not known yet.
    #[error("the kernel's type information has an unknown format")]
    Format,
    /// Another version or configuration of the kernel.
    #[error("this kernel has no {0}")]
    Missing(String),
}

/// A type, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeId(u32);

impl TypeId {
    /// The number by which bpf(2) knows it.
    pub(super) const fn number(self) -> u32 {
        self.0
    }
}

/// What to look for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// A function.
    Function(&'static str),
    /// A structure that has members.
    Structure(&'static str),
}

impl Named {
    const fn name(self) -> &'static str {
        match self {
            Self::Function(name) | Self::Structure(name) => name,
        }
    }

    const fn kind(self) -> u32 {
        match self {
            Self::Function(_) => kind::FUNC,
            Self::Structure(_) => kind::STRUCT,
        }
    }
}

/// A member of a structure, or a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// From the begin of the structure, in bytes.
    pub(super) offset: u32,
    /// In bytes.
    pub(super) width: u32,
    /// Its type, without typedefs and qualifiers.
    pub(super) type_id: TypeId,
}

/// The types. `B` holds the bytes.
#[derive(Debug)]
pub(super) struct Btf<B> {
    bytes: B,
    types: Range<usize>,
    strings: Range<usize>,
    /// Where the records of the types 1, 1 + [`STRIDE`] and so on begin within `types`. Type 0 is void, which has none.
    starts: Vec<u32>,
    /// The number of the last type.
    last: u32,
}

/// Of so many types, where one begins is kept. There are more than 100,000, of which few are looked at.
const STRIDE: u32 = 16;

/// The bytes behind the `struct btf_type` of a kind: in any case, and for each member. None of a kind that is not known.
const fn rest_of(kind: u32) -> Option<(usize, usize)> {
    Some(match kind {
        kind::INT | kind::VAR | kind::DECL_TAG => (4, 0),
        kind::ARRAY => (RECORD, 0),
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => (0, RECORD),
        kind::ENUM | kind::FUNC_PROTO => (0, PAIR),
        kind::PTR | kind::FWD..=kind::FUNC | kind::FLOAT | kind::TYPE_TAG => (0, 0),
        _ => return None,
    })
}

/// The same for each kind, without branches, which would be mispredicted: kinds come in no order.
static RESTS: [Option<(usize, usize)>; 0x80] = {
    let mut rests = [None; 0x80];
    let mut kind = 0;
    while kind < 0x80 {
        rests[kind as usize] = rest_of(kind);
        kind += 1;
    }
    rests
};

/// The size of a record and what belongs to it, in bytes, by its `info`.
fn size_of_record(info: u32) -> Option<usize> {
    let (always, each) = (*RESTS.get(kind_of(info) as usize)?)?;
    Some(RECORD + always + each * len_of(info))
}

/// Visits all types in their order, each by its number, where it begins, and the words of its name and its `info`. None if they are not
/// well-formed, after those that are.
fn visit(types: &[u8], mut see: impl FnMut(u32, u32, u32, u32)) -> Option<()> {
    let (mut id, mut at) = (1, 0);
    while at < types.len() {
        let record = types.get(at..)?;
        let [name, info] = [word(record, 0)?, word(record, 4)?];
        let size = size_of_record(info)?;
        see(id, u32::try_from(at).ok()?, name, info);
        at += size;
        id += 1;
    }
    (at == types.len()).then_some(())
}

/// `struct btf_type`, and where in the bytes what follows it begins.
#[derive(Clone, Copy)]
struct Record {
    name: u32,
    info: u32,
    size_or_type: u32,
    rest: usize,
}

impl Record {
    const fn kind(self) -> u32 {
        kind_of(self.info)
    }

    /// How many members or parameters there are.
    const fn len(self) -> usize {
        len_of(self.info)
    }

    /// Whether the offset of a member also has the width of a bit field in it.
    const fn has_bit_fields(self) -> bool {
        self.info >> 31 == 1
    }

    const fn is_composite(self) -> bool {
        matches!(self.kind(), kind::STRUCT | kind::UNION)
    }
}

/// The bits of `info`: 24 to 28 the kind, 0 to 15 the length. Those beside have to be 0 and are taken for what they border on.
const fn kind_of(info: u32) -> u32 {
    (info >> 24) & 0x7f
}

const fn len_of(info: u32) -> usize {
    (info & 0x00ff_ffff) as usize
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A part of the bytes, by offset from the end of the header and length.
fn section(bytes: &[u8], header: u32, offset: u32, length: u32) -> Option<Range<usize>> {
    let begin = usize::try_from(header).ok()?.checked_add(usize::try_from(offset).ok()?)?;
    let range = begin..begin.checked_add(usize::try_from(length).ok()?)?;
    bytes.get(range.clone())?;
    Some(range)
}

/// Where the types are, and the strings.
fn sections(bytes: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    if u16::from_ne_bytes(*bytes.first_chunk()?) != MAGIC {
        return None;
    }
    let header = word(bytes, 4)?;
    let types = section(bytes, header, word(bytes, 8)?, word(bytes, 12)?)?;
    Some((types, section(bytes, header, word(bytes, 16)?, word(bytes, 20)?)?))
}

impl<B: AsRef<[u8]>> Btf<B> {
    /// The types, and those of them that are [wanted](Self::find) first of all.
    ///
    /// # Errors
    ///
    /// [`BtfError::Format`].
    pub(super) fn parse<const N: usize>(
        bytes: B,
        wanted: [Named; N],
    ) -> Result<(Self, [Result<TypeId, BtfError>; N]), BtfError> {
        let (types, strings) = sections(bytes.as_ref()).ok_or(BtfError::Format)?;
        let mut btf = Self { bytes, types, strings, starts: Vec::new(), last: 0 };
        let mut search = Search::new(btf.strings(), wanted);
        let (mut starts, mut last) = (Vec::new(), 0);
        let visited = visit(btf.types(), |id, start, name, info| {
            if (id - 1).is_multiple_of(STRIDE) {
                starts.push(start);
            }
            last = id;
            search.visit(id, name, info);
        });
        visited.ok_or(BtfError::Format)?;
        (btf.starts, btf.last) = (starts, last);
        Ok((btf, search.found()))
    }

    fn types(&self) -> &[u8] {
        self.bytes.as_ref().get(self.types.clone()).unwrap_or_default()
    }

    fn strings(&self) -> &[u8] {
        self.bytes.as_ref().get(self.strings.clone()).unwrap_or_default()
    }

    fn record(&self, id: TypeId) -> Option<Record> {
        let index = id.0.checked_sub(1).filter(|_| id.0 <= self.last)?;
        let start = usize::try_from(*self.starts.get(usize::try_from(index / STRIDE).ok()?)?).ok()?;
        let mut record = self.types().get(start..)?;
        for _ in 0..index % STRIDE {
            record = record.get(size_of_record(word(record, 4)?)?..)?;
        }
        let [name, info, size_or_type] = [word(record, 0)?, word(record, 4)?, word(record, 8)?];
        Some(Record { name, info, size_or_type, rest: self.types().len() - record.len() + RECORD })
    }

    fn is_name(&self, offset: u32, name: &str) -> bool {
        usize::try_from(offset).is_ok_and(|at| is_text(self.strings(), at, name))
    }

    /// Finds types by name.
    ///
    /// # Errors
    ///
    /// [`BtfError::Missing`], for each.
    pub(super) fn find<const N: usize>(&self, wanted: [Named; N]) -> [Result<TypeId, BtfError>; N] {
        let mut search = Search::new(self.strings(), wanted);
        // They were well-formed before.
        let _ = visit(self.types(), |id, _, name, info| search.visit(id, name, info));
        search.found()
    }

    /// The type without typedefs and qualifiers.
    fn bare(&self, mut id: TypeId) -> Option<TypeId> {
        for _ in 0..MAX_DEPTH {
            match self.record(id)? {
                it if matches!(it.kind(), kind::TYPEDEF..=kind::RESTRICT | kind::TYPE_TAG) => {
                    id = TypeId(it.size_or_type);
                }
                _ => return Some(id),
            }
        }
        None
    }

    /// How many bytes a value of this type takes; none of a function, and of what is only declared.
    fn size_of(&self, id: TypeId) -> Option<u32> {
        let mut count = 1_u32;
        let mut id = id;
        for _ in 0..MAX_DEPTH {
            let record = self.record(self.bare(id)?)?;
            let size = match record.kind() {
                kind::PTR => u32::try_from(size_of::<usize>()).ok()?,
                kind::INT | kind::STRUCT | kind::UNION | kind::ENUM | kind::FLOAT | kind::ENUM64 => record.size_or_type,
                kind::ARRAY => {
                    count = count.checked_mul(word(self.types(), record.rest + 8)?)?;
                    id = TypeId(word(self.types(), record.rest)?);
                    continue;
                }
                _ => return None,
            };
            return count.checked_mul(size);
        }
        None
    }

    /// The size of a value of this type, in bytes.
    ///
    /// # Errors
    ///
    /// [`BtfError::Missing`] if the kernel only declares it.
    pub(super) fn size(&self, id: TypeId) -> Result<u32, BtfError> {
        self.size_of(id).ok_or_else(|| BtfError::Missing(format!("size of {}", self.name(id))))
    }

    /// What a pointer points to, or an array consists of, without typedefs and qualifiers.
    ///
    /// # Errors
    ///
    /// [`BtfError::Missing`] if it is neither.
    pub(super) fn target(&self, id: TypeId) -> Result<TypeId, BtfError> {
        let target = || {
            let record = self.record(self.bare(id)?)?;
            let target = match record.kind() {
                kind::PTR => record.size_or_type,
                kind::ARRAY => word(self.types(), record.rest)?,
                _ => return None,
            };
            self.bare(TypeId(target))
        };
        target().ok_or_else(|| BtfError::Missing(format!("target of {}", self.name(id))))
    }

    /// A member of a structure or union, also one in an anonymous structure or union in it. A path, such as `f_ref.refcnt.counter`, leads
    /// through members that are structures themselves.
    ///
    /// # Errors
    ///
    /// [`BtfError::Missing`]; also for a bit field, which has no address.
    pub(super) fn member(&self, id: TypeId, path: &str) -> Result<Field, BtfError> {
        let mut budget = MAX_MEMBERS;
        let mut member = || {
            let mut field = Field { offset: 0, width: 0, type_id: id };
            for name in path.split('.') {
                let inner = self.direct_member(field.type_id, name, &mut budget)?;
                field = Field { offset: field.offset.checked_add(inner.offset)?, ..inner };
            }
            Some(field)
        };
        member().ok_or_else(|| BtfError::Missing(format!("{}.{path}", self.name(id))))
    }

    fn direct_member(&self, id: TypeId, name: &str, budget: &mut usize) -> Option<Field> {
        // Anonymous structures whose members are still to be visited, with where they begin.
        let mut open = vec![(self.bare(id)?, 0_u32)];
        while let Some((id, begin)) = open.pop() {
            let composite = self.record(id).filter(|it| it.is_composite())?;
            for index in 0..composite.len() {
                *budget = budget.checked_sub(1)?;
                let at = composite.rest + RECORD * index;
                let [its_name, its_type, place] =
                    [word(self.types(), at)?, word(self.types(), at + 4)?, word(self.types(), at + 8)?];
                let (bits, bit_field) =
                    if composite.has_bit_fields() { (place & 0x00ff_ffff, place >> 24) } else { (place, 0) };
                let offset = begin.checked_add(bits / 8)?;
                if its_name == 0 {
                    let inner = self.bare(TypeId(its_type))?;
                    if self.record(inner)?.is_composite() {
                        open.push((inner, offset));
                    }
                } else if self.is_name(its_name, name) {
                    let is_addressable = bit_field == 0 && bits % 8 == 0;
                    let type_id = self.bare(TypeId(its_type)).filter(|_| is_addressable)?;
                    // The last member of a structure may be an array of no length.
                    return Some(Field { offset, width: self.size_of(type_id)?, type_id });
                }
            }
        }
        None
    }

    /// A parameter of a function, as a BPF program finds it in its context: each in 8 bytes of its own.
    ///
    /// # Errors
    ///
    /// [`BtfError::Missing`].
    pub(super) fn parameter(&self, function: TypeId, name: &str) -> Result<Field, BtfError> {
        let parameter = || {
            let function = self.record(function).filter(|it| it.kind() == kind::FUNC)?;
            let signature = self.record(TypeId(function.size_or_type)).filter(|it| it.kind() == kind::FUNC_PROTO)?;
            for index in 0..signature.len() {
                let at = signature.rest + PAIR * index;
                if self.is_name(word(self.types(), at)?, name) {
                    let type_id = self.bare(TypeId(word(self.types(), at + 4)?))?;
                    let offset = u32::try_from(8 * index).ok()?;
                    return Some(Field { offset, width: self.size_of(type_id)?, type_id });
                }
            }
            None
        };
        parameter().ok_or_else(|| BtfError::Missing(format!("parameter {name} of {}", self.name(function))))
    }

    /// The name of a type, for messages.
    fn name(&self, id: TypeId) -> String {
        let offset = self.record(id).and_then(|record| usize::try_from(record.name).ok());
        let text = offset.and_then(|at| self.strings().get(at..)).unwrap_or_default();
        let name = text.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.is_empty() { format!("type {}", id.0) } else { String::from_utf8_lossy(name).into_owned() }
    }
}

/// Looks up in any bytes what the programs look up, and must return.
#[cfg(any(test, fuzzing))]
pub(super) fn look_up(bytes: &[u8]) {
    if let Ok((btf, [function])) = Btf::parse(bytes, [super::programs::files::FUNCTION]) {
        let _ = function.and_then(|function| super::programs::files::Layout::of(&btf, function));
        for id in (0..8).map(TypeId) {
            let _ = (btf.size(id), btf.target(id), btf.member(id, "a.b"), btf.parameter(id, "a"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
