//! The container's last words: why it ended, where Kubernetes shows it in the pod's status.

use std::fs::OpenOptions;
use std::io::{self, Write};

use crate::layout::Layout;

/// The longest message in bytes. Kubernetes takes 4096 for a container, and 12 KiB for all containers of a pod.
const MAX_MESSAGE: usize = 2048;
/// Stands for what was left out.
const ELLIPSIS: &str = "…";

/// Writes why the container ends. `message` must hold nothing of a Secret: every account that may read the pod reads it.
pub fn leave_message(layout: &Layout, message: &str) {
    match write(layout, message) {
        // Outside Kubernetes there is no such file, and then none is made.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(%error, "the termination message was not written");
        }
        _ => {}
    }
}

fn write(layout: &Layout, message: &str) -> io::Result<()> {
    // The kubelet mounts the file by itself: another one in its place would not be seen.
    let mut file = OpenOptions::new().write(true).truncate(true).open(layout.termination_message())?;
    file.write_all(bounded(message).as_bytes())
}

fn bounded(message: &str) -> String {
    if message.len() <= MAX_MESSAGE {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MAX_MESSAGE - ELLIPSIS.len());
    format!("{}{ELLIPSIS}", &message[..end])
}

/// Why Kafka ended without having been asked to; `code` is its exit code, or 128 plus the signal that ended it, and `disks` is what is
/// wrong with log directories.
pub fn of_jvm(code: u8, disks: &[String]) -> String {
    let how = match code {
        // What `-XX:+ExitOnOutOfMemoryError` makes of it.
        3 => "exit code 3: its memory is too small (OutOfMemoryError)".to_owned(),
        129..=192 => format!("exit code {code}: signal {} ended it", code - 128),
        _ => format!("exit code {code}"),
    };
    let all = [&[how], disks].concat().join("; ");
    format!("kafka ended by itself with {all}; the end of the pod's log says more")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The planner finds a lost volume by these words (`lost_nodes.rs` among its tests has the same ones).
    #[test]
    fn a_disk_that_cannot_be_written_stands_in_the_last_words() {
        let disk = "log directory /var/lib/kafka/data-0/kafka-log1 cannot be written: Read-only file system (os error 30)";
        assert_eq!(
            of_jvm(1, &[disk.to_owned()]),
            format!("kafka ended by itself with exit code 1; {disk}; the end of the pod's log says more")
        );
        assert_eq!(
            of_jvm(1, &[]),
            "kafka ended by itself with exit code 1; the end of the pod's log says more"
        );
    }

    #[test]
    fn a_message_is_bounded_between_characters_and_only_written_where_it_is_shown() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        leave_message(&layout, "nobody reads this");
        assert!(!layout.termination_message().exists());

        std::fs::create_dir_all(root.path().join("dev")).unwrap();
        std::fs::write(layout.termination_message(), "an older and longer message").unwrap();
        leave_message(&layout, "why");
        assert_eq!(std::fs::read_to_string(layout.termination_message()).unwrap(), "why");
        leave_message(&layout, &"ä".repeat(MAX_MESSAGE));
        let written = std::fs::read_to_string(layout.termination_message()).unwrap();
        assert!(written.len() <= MAX_MESSAGE && written.len() > MAX_MESSAGE - 4, "{}", written.len());
        assert!(written.ends_with("ä…"));
    }
}
