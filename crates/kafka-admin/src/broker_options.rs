//! The options of brokers with every layer that says something about them.

use std::collections::BTreeMap;

use futures::StreamExt;
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;

use crate::client::Route;
use crate::configs::ConfigSource;
use crate::error::check;
use crate::values::{string, text};
use crate::{Admin, ErrorCode, KafkaError, Outcomes};

/// Type of the resource in the request: a broker.
const BROKER: i8 = 4;

/// Bytes of all options of one broker that are read at most; those of a broker of today take some 100,000.
const LONGEST_OPTIONS: usize = 1024 * 1024;

/// Brokers that are asked at a time.
const AT_A_TIME: usize = 16;

/// What stands in the place of a value that Kafka does not show.
pub const HIDDEN: &str = "[hidden]";

/// An option of a broker. Of the layers, the first one that says something is in force once the broker has applied it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerOption {
    /// The value in force; `None` where there is none or it is sensitive.
    pub value: Option<String>,
    /// Set at run time on this broker, as it was written; [`HIDDEN`] where it is sensitive.
    pub on_broker: Option<String>,
    /// Set at run time for all brokers, likewise.
    pub everywhere: Option<String>,
    /// In the file that the broker was started with, likewise.
    pub in_file: Option<String>,
    /// Whether it can only be changed in the file, or is not known to Kafka.
    pub read_only: bool,
}

impl BrokerOption {
    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let Self { value, on_broker, everywhere, in_file, .. } = self;
        size_of::<Self>()
            + [value, on_broker, everywhere, in_file].into_iter().flatten().map(String::len).sum::<usize>()
    }
}

impl Admin {
    /// Describes all options of these brokers. Each broker is asked for its own; a broker that does not answer fails its own item only.
    pub async fn describe_broker_options(
        &self,
        brokers: impl IntoIterator<Item = i32>,
    ) -> Outcomes<i32, BTreeMap<String, BrokerOption>> {
        let calls = brokers.into_iter().map(|broker| async move { (broker, self.options_of(broker).await) });
        futures::stream::iter(calls).buffer_unordered(AT_A_TIME).collect().await
    }

    async fn options_of(&self, broker: i32) -> Result<BTreeMap<String, BrokerOption>, KafkaError> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(BROKER)
            .with_resource_name(text(broker.to_string()))
            .with_configuration_keys(None);
        let request =
            DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
        let answer = self
            .call("describe options of a broker", Route::Node(broker), request, |_| Ok(()))
            .await
            .map_err(crate::AdminError::into_item)?;
        let mut options = BTreeMap::new();
        for result in &answer.results {
            check(result.error_code, result.error_message.as_ref())?;
            options.extend(result.configs.iter().map(|config| (string(&config.name), option(config))));
        }
        let bytes: usize = options.iter().map(|(name, option)| name.len() + option.bytes()).sum();
        if bytes > LONGEST_OPTIONS {
            let most = LONGEST_OPTIONS / 1024;
            let why = format!("its options take {} KiB, and {most} KiB are read at most", bytes / 1024);
            return Err(KafkaError::new(ErrorCode::INVALID_CONFIG, why));
        }
        Ok(options)
    }
}

fn option(config: &DescribeConfigsResourceResult) -> BrokerOption {
    // Another option may stand for this one, as `log.retention.hours` does for `log.retention.ms`.
    let layer = |source: ConfigSource| {
        let own = config.synonyms.iter().filter(|synonym| synonym.name == config.name);
        let mut of_source = own.filter(|synonym| ConfigSource::from_wire(synonym.source) == source);
        of_source.next().map(|synonym| synonym.value.as_ref().map_or_else(|| HIDDEN.to_owned(), string))
    };
    BrokerOption {
        value: config.value.as_ref().map(string),
        on_broker: layer(ConfigSource::DynamicBroker),
        everywhere: layer(ConfigSource::DynamicDefaultBroker),
        in_file: layer(ConfigSource::StaticBroker),
        read_only: config.read_only,
    }
}
