//! The ends of an fd table that the kernel has listed: those of anonymous pipes as they are, the others by a look at the descriptor, which
//! alone has the name of a FIFO and the peer of a socket.

use rustix::io::Errno;

use super::super::fd_dir::{ByLink, ends_of};
use super::super::heartbeat::ScanStep;
use super::super::process::is_refusal;
use super::super::recorded::{self, Known};
use super::super::scanner::Context;
use super::super::work::ProcessResult;
use super::{Refused, Table, TableWalk};
use crate::model::{PossibleEnds, UnreadablePart};
use crate::observe::join::RawEndpoint;
use crate::observe::kernel::{EndRecord, FileKind};

/// Adds the ends of a table to the result.
pub(in super::super) fn add(table: &Table, records: &[EndRecord], context: &Context<'_>, result: &mut ProcessResult) {
    let scanner = context.scanner;
    let needs_look = records.iter().any(|record| matches!(recorded::known(record, scanner), Known::InPart));
    let listing = if needs_look { table.open("fd").map(Some) } else { Ok(None) };
    if listing.as_ref().is_err_and(|errno| scanner.root.is_vanished(*errno)) {
        match table.tid {
            None => result.vanished = true,
            Some(_) => result.vanished_fds += records.len(),
        }
        return;
    }
    let (listing, refused) = match listing {
        Ok(listing) => (listing, None),
        Err(errno) => (None, Some(errno)),
    };
    let mut walk = TableWalk::new(table, listing.as_ref(), context, result);
    for record in records {
        walk.add(record, refused);
        if walk.is_full {
            walk.record(UnreadablePart::FdTable, Errno::NOMEM, PossibleEnds::ANYTHING);
            break;
        }
    }
    walk.result.vanished_fds += walk.gone.len();
    walk.flush_refused();
}

impl TableWalk<'_> {
    fn add(&mut self, record: &EndRecord, refused: Option<Errno>) {
        match recorded::known(record, self.context.scanner) {
            Known::NoEnd => {}
            Known::Whole(pipe) => {
                let end = recorded::end(record, pipe, self.table.tid, &self.context.scanner.options);
                self.keep(end);
            }
            Known::InPart => self.look(record, refused),
        }
    }

    fn look(&mut self, record: &EndRecord, refused: Option<Errno>) {
        let (fd, scanner) = (record.fd, self.context.scanner);
        let step = ScanStep::Fd(self.table.tid, fd);
        self.context.heartbeat.enter(step);
        if self.context.timed_out.contains(step) || self.is_on_dead_mount(fd) {
            return self.record_timeout(fd);
        }
        match refused.map_or_else(|| self.dir.look(fd), Err) {
            Ok(ends) => {
                let pipe = ends.iter().flatten().map(|end| end.pipe).find(|pipe| pipe.kind().is_pipe());
                let address = record.pipe.map(|pipe| pipe.address);
                self.result.fifos.extend(address.zip(pipe));
                // The number may have been used again for another file since it was listed: of that the kernel has said nothing.
                let is_it = |end: &RawEndpoint| end.pipe.kind().is_pipe() && Some(end.end.access) == record.access;
                for end in ends.into_iter().flatten() {
                    let description = Some(record.file).filter(|_| is_it(&end));
                    self.keep(Some(RawEndpoint { description, ..end }));
                }
            }
            Err(errno) if scanner.root.is_vanished(errno) => self.gone.push(fd),
            Err(errno) if is_refusal(errno) => self.refuse(record, errno),
            Err(errno) => self.record(UnreadablePart::Fd { fd }, errno, may_hold(record)),
        }
    }

    /// Keeps what the record says of a descriptor at which no look is allowed, and reports what it does not say.
    fn refuse(&mut self, record: &EndRecord, errno: Errno) {
        let scanner = self.context.scanner;
        if let Some(pipe) = scanner.root.pipefs().and_then(|pipefs| recorded::anonymous(record, pipefs)) {
            return self.keep(recorded::end(record, pipe, self.table.tid, &scanner.options));
        }
        let fd = record.fd;
        match self.dir.look_at_link(fd) {
            Ok(ByLink::Ends(ends)) => ends.into_iter().for_each(|end| self.keep(end)),
            Ok(ByLink::Unknown(may_hold)) => self.private.push((fd, errno, may_hold)),
            Err(gone) if scanner.root.is_vanished(gone) => self.gone.push(fd),
            Err(_) => {
                let new = Refused { errno, fds: 0, may_hold: PossibleEnds::NOTHING, fdinfo: false };
                let refused = self.refused.get_or_insert(new);
                refused.fds += 1;
                refused.may_hold = refused.may_hold.or(may_hold(record));
            }
        }
    }
}

/// The ends that a descriptor may be at which there was no look.
fn may_hold(record: &EndRecord) -> PossibleEnds {
    match record.kind {
        FileKind::Pipe => record.access.map_or(PossibleEnds::NOTHING, ends_of),
        FileKind::Socket | FileKind::CharacterDevice => PossibleEnds::NOTHING,
    }
}
