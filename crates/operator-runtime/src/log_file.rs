//! The mounted file with the logging of an entity operator's container: its level counts at once, and so does another one.
//!
//! The file is Log4j's, as the cluster operator writes it or a user's own; of it the level of the root logger counts. There are no
//! other loggers here.

use std::path::PathBuf;
use std::time::Duration;

use api::names::keys;
use api::properties;

use crate::telemetry::{self, LogLevel};

/// Between looks at the file. The kubelet itself takes up to a minute to bring a change.
const LOOK: Duration = Duration::from_secs(10);

/// The file, and the level that it had when it was last looked at.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    level: Option<String>,
}

impl LogFile {
    /// The file of the program with this name, whether or not it is there.
    pub fn of(program: &str) -> Self {
        Self::at(PathBuf::from(format!("/opt/{program}/custom-config/{}", keys::LOG4J2_PROPERTIES)))
    }

    /// The file at a path, whether or not it is there.
    pub fn at(path: PathBuf) -> Self {
        Self { path, level: None }
    }

    /// The filter of another level than the last one; `None`: it is the same, or there is none that is understood.
    pub fn look(&mut self) -> Option<String> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        let level = properties::parse(&text).ok()?.remove("rootLogger.level")?.trim().to_owned();
        if self.level.as_ref() == Some(&level) {
            return None;
        }
        let filter = telemetry::filter_of(&level);
        if filter.is_none() {
            tracing::warn!(level, "the level of rootLogger.level is not known: it stays as it was");
        }
        self.level = Some(level);
        filter
    }

    /// Sets the level as the file says for ever.
    pub async fn follow(mut self, log: LogLevel) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(filter) = self.look() {
                log.set(&filter);
                tracing::info!(level = self.level, "the level of the log changed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_counts_once_and_what_is_none_changes_nothing() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("log4j2.properties");
        let mut file = LogFile::at(path.clone());
        assert_eq!(file.look(), None, "there is no file");
        let mut levels = Vec::new();
        for text in [
            "rootLogger.level=DEBUG\n",
            "# again\nrootLogger.level = DEBUG\n",
            "rootLogger.level=loud\n",
            "rootLogger.appenderRefs=console\n",
            "broken=\\u00\n",
            "monitorInterval=30\nrootLogger.level: WARN\n",
        ] {
            std::fs::write(&path, text).unwrap();
            levels.push(file.look().map(|filter| filter.split(',').next().unwrap().to_owned()));
        }
        assert_eq!(levels, [Some("debug".to_owned()), None, None, None, None, Some("warn".to_owned())]);
    }
}
