//! How a table is fitted to a terminal: which columns there is room for, how wide each is, and where a cell wraps. What stands in the
//! cells is not known here.

use super::text::{close_roles, width};

/// What stands between two columns.
pub(super) const GAP: &str = "  ";

/// Maximum width of a word that is kept whole, such as an ID.
const LONGEST_WORD: usize = 49;

/// The same of an end: a PID, a command without escapes and a descriptor. One process with a hostile name does not make blocks of a table.
const LONGEST_END: usize = 31;

/// Minimum width of a longer path.
const READABLE: usize = 16;

/// Where a cell may wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrap {
    /// Nowhere: a short value stays whole, so that it can be copied.
    Never,
    /// Between its ends.
    Ends,
    /// At its commas.
    Words,
    /// Anywhere in a path; in other text between the words, if those are not very long.
    Name,
}

/// When a table that is too wide drops a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DropPriority {
    /// Only if it is empty.
    UnlessEmpty,
    /// After those that are empty, in this order.
    Spare(usize),
    /// Never.
    Always,
}

/// A column, as far as the layout has to know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heading {
    /// In ASCII.
    pub(super) text: &'static str,
    pub(super) wrap: Wrap,
    pub(super) priority: DropPriority,
}

/// A column, measured.
pub(super) struct Column {
    heading: Heading,
    /// The width without wrapping.
    most: usize,
    /// The width that it needs.
    least: usize,
    is_empty: bool,
}

impl Column {
    pub(super) fn new(heading: Heading, headed: bool) -> Self {
        let most = if headed { heading.text.len() } else { 0 };
        Self { heading, most, least: most, is_empty: true }
    }

    /// Takes a cell into account.
    pub(super) fn add(&mut self, cell: &str, is_filled: bool) {
        self.is_empty &= !is_filled;
        self.most = cell.lines().map(width).fold(self.most, usize::max);
        self.least = self.heading.wrap.least(cell).max(self.least);
    }

    /// When it is dropped; none if never.
    fn spare(&self) -> Option<DropPriority> {
        match self.heading.priority {
            DropPriority::Always => None,
            _ if self.is_empty => Some(DropPriority::UnlessEmpty),
            DropPriority::UnlessEmpty => None,
            spare @ DropPriority::Spare(_) => Some(spare),
        }
    }
}

impl Wrap {
    /// The width of the widest piece of a cell that is not broken.
    fn least(self, cell: &str) -> usize {
        let widest = |between: fn(char) -> bool| {
            cell.split_inclusive(between).map(|piece| width(piece.trim_end())).max().unwrap_or(0)
        };
        match self {
            Self::Never => widest(|character| character == '\n').min(LONGEST_WORD),
            Self::Ends => widest(|character| " \n".contains(character)).min(LONGEST_END),
            Self::Words => widest(|character| character == ',').min(LONGEST_WORD),
            Self::Name => {
                let of_word = |word: &str| match width(word) {
                    wide if wide > LONGEST_WORD || word.contains('/') => wide.min(READABLE),
                    wide => wide,
                };
                cell.split(' ').map(of_word).max().unwrap_or(0)
            }
        }
    }
}

/// The columns to show, by their indexes, with their widths, which fit into the room; none if that is not possible.
pub(super) fn fit(columns: &[Column], room: usize) -> Option<Vec<(usize, usize)>> {
    let mut spare: Vec<usize> = (0..columns.len()).filter(|index| columns[*index].spare().is_some()).collect();
    spare.sort_by_key(|index| columns[*index].spare());
    let all = |without: &[usize]| (0..columns.len()).filter(|index| !without.contains(index)).collect::<Vec<_>>();
    let fits = |without: &[usize]| {
        let shown = all(without);
        let gaps = GAP.len() * shown.len().saturating_sub(1);
        // One column alone is no worse than a block.
        shown.len() == 1 || shown.iter().map(|index| columns[*index].least).sum::<usize>() + gaps <= room
    };
    let many = (0..=spare.len()).find(|many| fits(&spare[..*many]))?;
    // A column that was dropped early may fit beside a wider one that was dropped last.
    let mut without = spare[..many].to_vec();
    for index in spare[..many].iter().rev().filter(|index| !columns[**index].is_empty) {
        let fewer: Vec<usize> = without.iter().copied().filter(|other| other != index).collect();
        if fits(&fewer) {
            without = fewer;
        }
    }
    Some(share(columns, &all(&without), room))
}

/// Gives each column the width that it needs, and an equal share of the rest unless it wants less.
fn share(columns: &[Column], shown: &[usize], room: usize) -> Vec<(usize, usize)> {
    let wanted = |index: usize| columns[index].most.saturating_sub(columns[index].least);
    let mut widths: Vec<(usize, usize)> = shown.iter().map(|index| (*index, columns[*index].least)).collect();
    let gaps = GAP.len() * shown.len().saturating_sub(1);
    let mut rest = room.saturating_sub(gaps + widths.iter().map(|(_, width)| width).sum::<usize>());
    widths.sort_by_key(|(index, _)| wanted(*index));
    let mut others = widths.len();
    for (index, width) in &mut widths {
        let more = wanted(*index).min(rest / others);
        *width += more;
        rest -= more;
        others -= 1;
    }
    widths.sort_unstable();
    widths
}

/// Wraps a cell: between words; a word that is too long at its commas, or a path at its slashes; what is still too long anywhere, but not
/// within an escape.
pub(crate) fn lines(cell: &str, room: usize) -> Vec<String> {
    wrap(cell, room, &[' ', ',', '/'], true)
}

/// Wraps a text between its words only, however long they are.
pub(super) fn word_lines(text: &str, room: usize) -> Vec<String> {
    wrap(text, room, &[' '], false)
}

fn wrap(cell: &str, room: usize, between: &[char], anywhere: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for line in cell.split('\n') {
        lines.push(String::new());
        if width(line) <= room {
            lines.pop();
            lines.push(line.to_owned());
        } else {
            fill(&mut lines, line, room, between, anywhere);
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end_matches(' ').len());
    }
    close_roles(&mut lines);
    lines
}

/// Appends a text to the last line, and to further ones, as much to each as there is room for.
fn fill(lines: &mut Vec<String>, text: &str, room: usize, between: &[char], anywhere: bool) {
    let pieces: Vec<&str> = match between.first() {
        Some(separator) => text.split_inclusive(*separator).collect(),
        None if anywhere => clusters(text),
        None => vec![text],
    };
    for piece in pieces {
        let filled = lines.last().map_or(0, |line| width(line));
        let wide = width(piece.trim_end_matches(' '));
        if wide == 0 && piece.ends_with(' ') {
            // It does not begin a line.
            lines.last_mut().filter(|_| filled > 0).into_iter().for_each(|line| line.push_str(piece));
            continue;
        }
        if filled > 0 && filled + wide > room {
            lines.push(String::new());
        }
        if wide > room && !between.is_empty() {
            fill(lines, piece, room, between.get(1..).unwrap_or_default(), anywhere);
        } else if let Some(line) = lines.last_mut() {
            line.push_str(piece);
        }
    }
}

/// The parts of a text that are never broken: characters with what they carry, and escapes of a name.
fn clusters(text: &str) -> Vec<&str> {
    let mut starts = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        let mut shown = [0; 4];
        let is_carried = width(character.encode_utf8(&mut shown)) == 0;
        if !is_carried || starts.is_empty() {
            starts.push(at);
        }
        if character == '\\' {
            let more = match rest.next().map(|(_, kind)| kind) {
                Some('x') => 2,
                Some('u') => text[at..].find('}').map_or(0, |length| length.saturating_sub(1)),
                _ => 0,
            };
            rest.by_ref().take(more).for_each(drop);
        }
    }
    starts.push(text.len());
    starts.windows(2).filter_map(|pair| text.get(pair[0]..pair[1])).collect()
}

#[cfg(test)]
mod tests;
