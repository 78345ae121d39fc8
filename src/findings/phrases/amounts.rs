//! Lists, counts and ages in sentences: of many, the first and how many more.

use std::time::Duration;

use crate::findings::{Evidence, Role};

/// Maximum number of names in a sentence; the rest is counted.
pub(super) const MOST_NAMED: usize = 4;

/// Maximum number of lines of evidence of one role; the rest is counted.
pub(crate) const MOST_LINES: usize = 8;

/// The lines of the first of many, and how many more there are, for which none is made.
pub(in crate::findings) fn lines<T>(
    role: Role,
    items: impl IntoIterator<Item = T>,
    line: impl FnMut(T) -> String,
) -> Vec<Evidence> {
    first_lines(role, MOST_LINES, "more", items, line)
}

/// Likewise, so many.
pub(in crate::findings) fn first_lines<T>(
    role: Role,
    most: usize,
    rest: &str,
    items: impl IntoIterator<Item = T>,
    line: impl FnMut(T) -> String,
) -> Vec<Evidence> {
    let mut items = items.into_iter();
    let mut shown: Vec<String> = items.by_ref().take(most).map(line).collect();
    if let more @ 1.. = items.count() {
        shown.push(format!("and {} {rest}", thousands(more)));
    }
    shown.into_iter().map(|text| Evidence { role, text }).collect()
}

/// `a, b and c`; of many, the first and how many more. Names are made only of those.
pub(crate) fn list<T>(items: impl IntoIterator<Item = T>, name: impl Fn(T) -> String) -> String {
    let mut items = items.into_iter();
    let mut first: Vec<T> = items.by_ref().take(MOST_NAMED + 1).collect();
    let more = if first.len() > MOST_NAMED { first.len() + items.count() - (MOST_NAMED - 1) } else { 0 };
    first.truncate(if more > 0 { MOST_NAMED - 1 } else { MOST_NAMED });
    let mut names: Vec<String> = first.into_iter().map(name).collect();
    names.extend((more > 0).then(|| format!("{} more", thousands(more))));
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => "an unknown process".to_owned(),
    }
}

/// `4,984`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

/// The verb that fits a number of processes.
pub(in crate::findings) const fn verb(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// `, for 8 s`; nothing for less than a second.
pub(in crate::findings) fn idle(idle: Option<Duration>) -> String {
    idle.filter(|idle| idle.as_secs() > 0).map_or_else(String::new, |idle| format!(", for {}", age(idle)))
}

/// `8 s`, `3 min`, `1 h 17 min` or `3 days`.
pub(crate) fn age(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes / 60 {
        0 if minutes == 0 => format!("{} s", age.as_secs()),
        0 => format!("{minutes} min"),
        hours @ 1..48 if minutes.is_multiple_of(60) => format!("{hours} h"),
        hours @ 1..48 => format!("{hours} h {} min", minutes % 60),
        hours => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_as_people_say_them() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (4620, "1 h 17 min"),
            (172_799, "47 h 59 min"),
            (172_800, "2 days"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), expected);
        }
    }
}
