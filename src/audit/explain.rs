//! What each finding means, how it is known, when it is harmless and what to do: the texts of `--explain`, wrapped at 80 columns. Those
//! of the audit's own rules stand with the rules.

use super::{containers, deleted, exposed, hoard, inherited, pages, users};
use crate::model::Code;

/// The text about a finding, without its name and without a newline at its end.
#[must_use]
pub const fn explain(code: Code) -> &'static str {
    match code {
        Code::Deadlock => DEADLOCK,
        Code::SelfDeadlock => SELF_DEADLOCK,
        Code::LeakedWriteEnd => LEAKED_WRITE_END,
        Code::StalledReader => STALLED_READER,
        Code::BlockedOpen => BLOCKED_OPEN,
        Code::HiddenEnd => HIDDEN_END,
        Code::NoReader => NO_READER,
        Code::NoWriter => NO_WRITER,
        Code::FifoExposed => exposed::EXPLAIN,
        Code::CrossesUsers => users::EXPLAIN,
        Code::CrossesContainers => containers::EXPLAIN,
        Code::InheritedEnd => inherited::EXPLAIN,
        Code::EndHoard => hoard::EXPLAIN,
        Code::PipePages => pages::EXPLAIN,
        Code::DeletedFifo => deleted::EXPLAIN,
    }
}

const DEADLOCK: &str = "\
Threads of several processes wait for each other at pipes, or for a child, and
nobody else could end that: all who hold the ends they wait for wait themselves.

Error if it is proven: their system calls say so, and they did not run between
two looks. Warning if there is a doubt: somebody who could not be read may hold
an end, a FIFO may be opened by its name, or a signal handler may act.

Never harmless, unless something outside is about to send a signal.

What to do: kill one of them. To avoid it, read and write at the same time, with
poll(2) or a thread, and close ends that are not used right after fork(2).";

const SELF_DEADLOCK: &str = "\
The threads of one process wait for themselves or each other: it reads a pipe
of which it holds the only write end, or writes to a full one that only it
reads.

Error if it is proven, warning if there is a doubt, as for deadlock.

Never harmless.

What to do: kill it. To avoid it, close the other end of the pipe right after
fork(2), and do not write more than fits into a pipe before reading it.";

const LEAKED_WRITE_END: &str = "\
A reader waits at a pipe for more or for its end, and only those hold its write
end who seem to have nothing to do with it: processes of another session,
orphans, programs that inherited the end without being told, or the reader
itself.

Warning; info if the reader waits for other things as well, or with a timeout.
It is inferred from how the processes are related, and suspected where somebody
who could not be seen may hold the write end as well, and may be the one who
writes.

Harmless where the holder will write after all.

What to do: end the holder, or let it close the end. To avoid it, start daemons
with their output elsewhere, and open pipes with O_CLOEXEC.";

const STALLED_READER: &str = "\
A writer is blocked on a full pipe, and none of those who hold the read end is
about to read: they are stopped, or wait for something else.

Warning; info if the readers wait for a terminal, a socket or other files, and
may well come back. It is proven by what their threads do, and suspected where
somebody who could not be seen may read as well.

Harmless if the reader is only slow, or stopped on purpose.

What to do: see what the reader waits for, or let it go on with
`kill -CONT PID`.";

const BLOCKED_OPEN: &str = "\
Somebody is blocked in open(2) of a FIFO, and nobody has its other side.

Warning. The kernel lets nobody wait there for another reason, so it is proven.

Harmless where a service waits for its next client in that way.

What to do: start whoever is to open the other side. O_NONBLOCK makes open(2)
return at once.";

const HIDDEN_END: &str = "\
A pipe has an end that no fd table shows: somebody would not be blocked at it
otherwise, or the kernel says so to --probe. It may be in flight over a UNIX
socket, registered with an io_uring, held by a process that is exiting, by the
kernel for autofs, or by a process that could not be read.

Warning; info if that is to be expected, since some process could not be read.
That there is such an end is proven; who has it may not be.

Harmless if a process that could not be read has it.

What to do: look as root, and from outside of containers; for one that is in
flight, let its receiver take it from the socket.";

const NO_READER: &str = "\
A pipe has writers, and no reader: the next write gets SIGPIPE or EPIPE.

Info. It is proven if --probe asked the kernel, or if every process could be
read and nothing was found by which an end may be held without a descriptor,
as in flight over a UNIX socket.

Harmless where the writer will never write again, as with many programs that
are started with a pipe for their output.

What to do: nothing, unless it should have a reader.";

const NO_WRITER: &str = "\
A pipe has readers, and no writer: once it is empty, a read gets end of
file.

Info. It is proven if --probe asked the kernel, or if every process could be
read and nothing was found by which an end may be held without a descriptor,
as in flight over a UNIX socket.

Harmless where the reader has not come to read yet, or never will.

What to do: nothing, unless it should have a writer.";
