//! The search for types by their names.

use memchr::memmem;

use super::{BtfError, Named, TypeId, kind, kind_of, len_of};

/// A search for types by name, in one visit of all; of several of a name it finds the first.
pub(super) struct Search<const N: usize> {
    wanted: [Named; N],
    /// Where each name begins among the strings. It is searched as text, and then by number: faster than to look up the name of each type.
    places: [Vec<u32>; N],
    /// A bit for each place, by its last digits, which most other names lack.
    bits: u64,
    found: [Option<TypeId>; N],
}

impl<const N: usize> Search<N> {
    pub(super) fn new(strings: &[u8], wanted: [Named; N]) -> Self {
        let mut places = wanted.map(|_| Vec::new());
        // All at once, by what they begin with.
        let common = wanted.iter().map(|wanted| wanted.name()).reduce(common_start).unwrap_or_default();
        let start = [b"\0", common.as_bytes()].concat();
        for place in memmem::find_iter(strings, &start).map(|place| place + 1) {
            for (wanted, places) in wanted.iter().zip(&mut places) {
                if is_text(strings, place, wanted.name()) {
                    places.extend(u32::try_from(place));
                }
            }
        }
        let bits = places.iter().flatten().fold(0, |bits, place| bits | 1 << (place % u64::BITS));
        Self { wanted, places, bits, found: [None; N] }
    }

    pub(super) fn visit(&mut self, id: u32, name: u32, info: u32) {
        if self.bits >> (name % u64::BITS) & 1 == 0 {
            return;
        }
        let kind = kind_of(info);
        // A structure without members is a declaration.
        let is_declared = kind == kind::STRUCT && len_of(info) == 0;
        for ((wanted, places), found) in self.wanted.iter().zip(&self.places).zip(&mut self.found) {
            if wanted.kind() == kind && !is_declared && found.is_none() && places.contains(&name) {
                *found = Some(TypeId(id));
            }
        }
    }

    pub(super) fn found(self) -> [Result<TypeId, BtfError>; N] {
        let mut wanted = self.wanted.into_iter();
        self.found.map(|found| {
            let name = wanted.next().map(Named::name).unwrap_or_default();
            found.ok_or_else(|| BtfError::Missing(name.to_owned()))
        })
    }
}

/// What two names begin with. Names of the kernel are ASCII.
fn common_start(one: &'static str, other: &'static str) -> &'static str {
    let len = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    one.get(..len).unwrap_or_default()
}

/// Whether the string that begins there is this one.
pub(super) fn is_text(strings: &[u8], at: usize, text: &str) -> bool {
    let rest = strings.get(at..).and_then(|it| it.strip_prefix(text.as_bytes()));
    rest.is_some_and(|rest| rest.first() == Some(&0))
}
