//! How a table is fitted to a terminal: which columns there is room for, how wide each is, and where a cell wraps. What stands in the
//! cells is not known here.

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use super::text::width;

/// What stands between two columns.
pub(super) const GAP: &str = "  ";

/// Maximum width of a word that is kept whole: that of an ID, and of an end whose command has no escapes.
const LONGEST_WORD: usize = 49;

/// The same where ends wrap at their commas: a command and its comma.
const LONGEST_PIECE: usize = 16;

/// Minimum width of a longer path, as long as columns can be dropped for it.
const READABLE: usize = 16;

/// The same when no column is left to drop.
const LEAST: usize = 8;

/// Where a cell may wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrap {
    /// Nowhere: a short value stays whole, so that it can be copied.
    Never,
    /// Between its ends; if that is not enough, at the commas of an end.
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
    pub(super) text: &'static str,
    pub(super) wrap: Wrap,
    pub(super) priority: DropPriority,
}

/// How far a cell is wrapped.
#[derive(Debug, Clone, Copy)]
enum WrapLevel {
    None,
    Some,
    /// Ends wrap at their commas.
    High,
}

/// A column, measured.
pub(super) struct Column {
    heading: Heading,
    /// The width without wrapping.
    most: usize,
    /// The width that it needs, by the level.
    least: [usize; 3],
    is_empty: bool,
}

impl Column {
    pub(super) fn new(heading: Heading, headed: bool) -> Self {
        let most = if headed { heading.text.len() } else { 0 };
        Self { heading, most, least: [most; 3], is_empty: true }
    }

    /// Takes a cell into account.
    pub(super) fn add(&mut self, cell: &str, is_filled: bool) {
        self.is_empty &= !is_filled;
        self.most = cell.lines().map(width).fold(self.most, usize::max);
        for (level, least) in [WrapLevel::None, WrapLevel::Some, WrapLevel::High].into_iter().zip(&mut self.least) {
            *least = self.heading.wrap.least(cell, level).max(*least);
        }
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
    fn least(self, cell: &str, level: WrapLevel) -> usize {
        let name = if matches!(level, WrapLevel::None) { READABLE } else { LEAST };
        let widest = |between: fn(char) -> bool| {
            cell.split_inclusive(between).map(|piece| width(piece.trim_end())).max().unwrap_or(0)
        };
        match (self, level) {
            (Self::Never, _) => widest(|character| character == '\n').min(LONGEST_WORD),
            (Self::Ends, WrapLevel::High) => widest(|character| ", \n".contains(character)).min(LONGEST_PIECE),
            (Self::Ends, _) => widest(|character| " \n".contains(character)).min(LONGEST_WORD),
            (Self::Words, _) => widest(|character| character == ',').min(LONGEST_WORD),
            (Self::Name, _) => {
                let longest = if matches!(level, WrapLevel::High) { LONGEST_PIECE } else { LONGEST_WORD };
                let of_word = |word: &str| match width(word) {
                    wide if wide > LONGEST_WORD || word.contains('/') => wide.min(name),
                    // A link to what is no file: `pipe:[INODE]`.
                    wide if word.ends_with(']') => wide,
                    wide => wide.min(longest),
                };
                cell.split(' ').map(of_word).max().unwrap_or(0)
            }
        }
    }
}

/// The columns to show, by their indexes, with their widths, which fit into the room if that is possible.
pub(super) fn fit(columns: &[Column], room: usize) -> Vec<(usize, usize)> {
    let mut spare: Vec<usize> = (0..columns.len()).filter(|index| columns[*index].spare().is_some()).collect();
    spare.sort_by_key(|index| columns[*index].spare());
    let all = |without: &[usize]| (0..columns.len()).filter(|index| !without.contains(index)).collect::<Vec<_>>();
    let needed = |shown: &[usize], level: WrapLevel| {
        let gaps = GAP.len() * shown.len().saturating_sub(1);
        shown.iter().map(|index| columns[*index].least[level as usize]).sum::<usize>() + gaps
    };
    let fits = |without: &[usize], level| needed(&all(without), level) <= room;
    if let Some(many) = (0..=spare.len()).find(|many| fits(&spare[..*many], WrapLevel::None)) {
        // A column that was dropped early may fit beside a wider one that was dropped last.
        let mut without = spare[..many].to_vec();
        for index in spare[..many].iter().rev().filter(|index| !columns[**index].is_empty) {
            let fewer: Vec<usize> = without.iter().copied().filter(|other| other != index).collect();
            if fits(&fewer, WrapLevel::None) {
                without = fewer;
            }
        }
        return share(columns, &all(&without), WrapLevel::None, room);
    }
    let shown = all(&spare);
    if let Some(level) = [WrapLevel::Some, WrapLevel::High].into_iter().find(|level| fits(&spare, *level)) {
        return share(columns, &shown, level, room);
    }
    // If lines are too wide anyway, to break ends does not help, nor to break a path at the end.
    let mut widths = share(columns, &shown, WrapLevel::Some, room);
    if let Some((last, width)) = widths.last_mut().filter(|(last, _)| columns[*last].heading.wrap == Wrap::Name) {
        *width = columns[*last].most;
    }
    widths
}

/// Gives each column the width that it needs, and an equal share of the rest unless it wants less.
fn share(columns: &[Column], shown: &[usize], level: WrapLevel, room: usize) -> Vec<(usize, usize)> {
    let least = |index: usize| columns[index].least[level as usize];
    let wanted = |index: usize| columns[index].most.saturating_sub(least(index));
    let mut widths: Vec<(usize, usize)> = shown.iter().map(|index| (*index, least(*index))).collect();
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

/// Wraps a cell: between words; a word that is too long at its commas; what is still too long anywhere.
pub(super) fn lines(cell: &str, room: usize) -> Vec<String> {
    let options = Options::new(room)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let at_commas = WordSeparator::Custom(|line| Box::new(line.split_inclusive(',').map(Word::from)));
    let mut lines = Vec::new();
    for line in textwrap::wrap(cell, options.clone().break_words(false)) {
        if width(&line) <= room {
            lines.push(line.into_owned());
        } else {
            lines.extend(textwrap::wrap(&line, options.clone().word_separator(at_commas)).into_iter().map(Into::into));
        }
    }
    lines
}

#[cfg(test)]
mod tests;
