//! What is done about a connector that Connect has and does not list, since it has no state yet: its start may hang.

use std::collections::BTreeMap;

use api::common::connector::ConnectorState;

use super::call::Call;

/// What comes next for it, in place of making it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It gets the options that it is to have.
    Configure,
    /// It has them, and it is waited for until it is listed. What keeps it from working is asked for at once.
    Wait(Option<Call>),
}

/// For a connector with these options that is to have those and to do that.
pub fn next(
    found: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
    state: ConnectorState,
) -> Next {
    if found != wanted {
        return Next::Configure;
    }
    Next::Wait(match state {
        ConnectorState::Stopped => Some(Call::Stop),
        ConnectorState::Paused => Some(Call::Pause),
        ConnectorState::Running => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gets_its_options_first_and_is_kept_from_working_where_it_is_to_rest() {
        let options = |value: &str| BTreeMap::from([("k".to_owned(), value.to_owned())]);
        for (state, call) in [
            (ConnectorState::Running, None),
            (ConnectorState::Paused, Some(Call::Pause)),
            (ConnectorState::Stopped, Some(Call::Stop)),
        ] {
            assert_eq!(next(&options("v"), &options("v"), state), Next::Wait(call));
            assert_eq!(next(&options("other"), &options("v"), state), Next::Configure);
        }
    }
}
