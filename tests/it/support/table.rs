//! Reading the tables that lspipe writes off a terminal: a header, and one line for each row.

/// A table, its cells by the position of the header's words.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<String>,
}

impl Table {
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let header = lines.next().expect("a header").split_whitespace().map(str::to_owned).collect();
        Self { header, rows: lines.map(str::to_owned).collect() }
    }

    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    pub(crate) fn rows(&self) -> &[String] {
        &self.rows
    }

    /// The cells of the only row whose first cell is this, for rows in which no cell holds a blank.
    #[track_caller]
    pub(crate) fn row(&self, first: &str) -> Vec<&str> {
        let mut found =
            self.rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>()).filter(|row| row[0] == first);
        let row = found.next().unwrap_or_else(|| panic!("no row {first} in {:#?}", self.rows));
        assert!(found.next().is_none(), "several rows {first}");
        row
    }

    /// One cell of that row, by its column.
    #[track_caller]
    pub(crate) fn cell(&self, first: &str, column: &str) -> &str {
        let index = self.header.iter().position(|name| name == column).unwrap_or_else(|| panic!("no column {column}"));
        self.row(first)[index]
    }
}
