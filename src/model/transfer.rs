//! Serialization between two lspipe processes, including what the JSON of a report leaves out or has elsewhere; for `#[serde(with = …)]`.

/// Pipes with their ends.
pub(crate) mod pipes {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::{Endpoint, Pipe};

    pub(crate) fn serialize<S: Serializer>(pipes: &[Pipe], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(pipes.iter().map(|pipe| (pipe, &pipe.ends)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Pipe>, D::Error> {
        let pipes = Vec::<(Pipe, Vec<Endpoint>)>::deserialize(deserializer)?;
        Ok(pipes.into_iter().map(|(pipe, ends)| Pipe { ends, ..pipe }).collect())
    }
}

/// Answers of the kernel, with what a report leaves out.
pub(crate) mod probed {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::{PipeId, Probed, References};

    type All = BTreeMap<PipeId, Probed>;

    pub(crate) fn serialize<S: Serializer>(all: &All, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().map(|(id, probed)| (id, probed, (probed.unanswered, &probed.references))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<All, D::Error> {
        let all = Vec::<(PipeId, Probed, (bool, Vec<References>))>::deserialize(deserializer)?;
        let whole = |(id, probed, (unanswered, references))| (id, Probed { unanswered, references, ..probed });
        Ok(all.into_iter().map(whole).collect())
    }
}

/// Threads with their fingerprints. Idle times are exact to the millisecond.
pub(crate) mod threads {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::{Fingerprint, ThreadGroup, Threads};

    pub(crate) fn serialize<S: Serializer>(threads: &Threads, serializer: S) -> Result<S::Ok, S::Error> {
        let traces = |group: &ThreadGroup| group.tasks.iter().map(|task| task.trace.clone()).collect::<Vec<_>>();
        serializer.collect_seq(threads.values().map(|group| (group, traces(group))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Threads, D::Error> {
        let groups = Vec::<(ThreadGroup, Vec<Fingerprint>)>::deserialize(deserializer)?;
        let whole = |(mut group, traces): (ThreadGroup, Vec<Fingerprint>)| {
            for (task, trace) in group.tasks.iter_mut().zip(traces) {
                (task.id.pid, task.trace) = (group.pid, trace);
            }
            (group.pid, group)
        };
        Ok(groups.into_iter().map(whole).collect())
    }
}

/// A map whose keys are no text.
pub(crate) mod pairs {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize as _, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer, K: Serialize, V: Serialize>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, K: DeserializeOwned + Ord, V: DeserializeOwned>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Vec::<(K, V)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}

/// A path, which need not be UTF-8.
pub(crate) mod path {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(deserializer).map(PathBuf::from)
    }
}
