//! lspipe against lsof and lsfd on everything that is alive.
