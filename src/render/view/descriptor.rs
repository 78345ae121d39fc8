//! The shape of a descriptor of any type, for `lspipe fds --json`.

use serde::Serialize;

use super::exact;
use crate::model::{AccessMode, Descriptor, FileType, OpenFlags};

/// A descriptor of any type.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Descriptor"))]
pub(super) struct DescriptorView<'a> {
    pid: u32,
    tid: Option<u32>,
    fd: u32,
    /// `r`, `w` or `rw`; null for `O_PATH`.
    access: Option<&'static str>,
    /// `REG`, `DIR`, `CHR`, `BLK`, `FIFO`, `SOCK`, `LINK` or `a_inode`.
    #[serde(rename = "type")]
    file_type: Option<&'static str>,
    flags: Option<Vec<&'static str>>,
    target: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_bytes: Option<String>,
    /// The ID of the pipe, if it is one: `pipes` tells its ends.
    pipe: Option<String>,
}

pub(super) fn descriptor_view(descriptor: &Descriptor) -> DescriptorView<'_> {
    DescriptorView {
        pid: descriptor.pid.0,
        tid: descriptor.tid.map(|tid| tid.0),
        fd: descriptor.fd.0,
        access: descriptor.access.map(AccessMode::as_str),
        file_type: descriptor.file_type.map(FileType::as_str),
        flags: descriptor.flags.map(|flags| OpenFlags::names(flags).collect()),
        target: descriptor.target.as_ref().map(|target| String::from_utf8_lossy(target)),
        target_bytes: descriptor.target.as_deref().and_then(exact),
        pipe: descriptor.pipe.map(|pipe| pipe.to_string()),
    }
}
