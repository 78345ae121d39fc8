//! What the tests share: running lspipe, reading its report strictly, and building processes whose pipes are known.

pub(crate) mod facts;
pub(crate) mod need;
pub(crate) mod promises;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod scene;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod text;
pub(crate) mod tree;
pub(crate) mod truth;
pub(crate) mod turn;
pub(crate) mod user;
