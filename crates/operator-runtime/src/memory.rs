//! How much memory a value takes, found by walking over it as if it were to be written.
//!
//! The types of Kubernetes have hundreds of fields, most of them empty: the length of an object's text says little about
//! what the object costs. What is counted is about what the allocator hands out: serde does not tell how large the items
//! of a list are, so the large types are known by their names.

use std::fmt::{self, Display};
use std::mem::size_of as bytes_of;

use api::common::pod_template::{AdditionalVolume, ContainerEnvVar, TemplatedVolume};
use api::kafka::listeners::{Listener, ListenerBroker};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, EnvVar, Volume};

use serde::ser::{self, Serialize, Serializer};

/// Entries that a node of a map has room for.
const NODE: usize = 11;

/// Beside the entries of a node.
const NODE_OVERHEAD: usize = 16;

/// An item of a list, or a value of a map, that is no structure: a text, a number, a JSON value.
const ITEM: usize = 32;

/// A key of a map.
const KEY: usize = 24;

/// A structure that is none of the large ones.
const SMALL_STRUCTURE: usize = 160;

/// What a structure takes in a list.
fn structure(name: &str) -> usize {
    match name {
        "Container" => bytes_of::<Container>(),
        "ContainerStatus" => bytes_of::<ContainerStatus>(),
        "EnvVar" => bytes_of::<EnvVar>(),
        "Volume" => bytes_of::<Volume>(),
        "AdditionalVolume" => bytes_of::<AdditionalVolume>(),
        "TemplatedVolume" => bytes_of::<TemplatedVolume>(),
        "ContainerEnvVar" => bytes_of::<ContainerEnvVar>(),
        "Listener" => bytes_of::<Listener>(),
        "ListenerBroker" => bytes_of::<ListenerBroker>(),
        _ => SMALL_STRUCTURE,
    }
}

/// About how many bytes a value takes, itself included.
pub fn size_of<T: Serialize>(value: &T) -> usize {
    let mut meter = Meter { heap: 0, item: false };
    // It fails for nothing that is stored; what was counted until then would still count.
    let _ = value.serialize(&mut meter);
    size_of_val(value) + meter.heap
}

/// What the allocator takes for a block.
fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}

#[derive(Debug)]
struct Meter {
    heap: usize,
    /// Whether what comes next is an item of a list or a value of a map.
    item: bool,
}

/// A value that cannot be walked over.
#[derive(Debug)]
struct Unknown;

impl Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the size of the value cannot be told")
    }
}

impl std::error::Error for Unknown {}

impl ser::Error for Unknown {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

type Done = Result<(), Unknown>;

/// Types without memory of their own.
macro_rules! inline {
    ($($name:ident: $type:ty),+) => {
        $(fn $name(self, _: $type) -> Done {
            Ok(())
        })+
    };
}

impl<'a> Serializer for &'a mut Meter {
    type Ok = ();
    type Error = Unknown;
    type SerializeSeq = List<'a>;
    type SerializeTuple = Inline<'a>;
    type SerializeTupleStruct = Inline<'a>;
    type SerializeTupleVariant = Inline<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Inline<'a>;
    type SerializeStructVariant = Inline<'a>;

    inline!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char
    );

    fn serialize_str(self, value: &str) -> Done {
        self.heap += block(value.len());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.heap += block(value.len());
        Ok(())
    }

    fn serialize_none(self) -> Done {
        Ok(())
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Done {
        Ok(())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Done {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Unknown> {
        self.item = false;
        Ok(List { meter: self, items: 0 })
    }

    fn serialize_tuple(self, _: usize) -> Result<Inline<'a>, Unknown> {
        Ok(Inline(self))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Inline<'a>, Unknown> {
        Ok(Inline(self))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Inline<'a>, Unknown> {
        Ok(Inline(self))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'a>, Unknown> {
        self.item = false;
        Ok(Map { meter: self, entries: 0, bytes: 0 })
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Inline<'a>, Unknown> {
        if self.item {
            self.heap += structure(name).saturating_sub(ITEM);
            self.item = false;
        }
        Ok(Inline(self))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Inline<'a>, Unknown> {
        Ok(Inline(self))
    }
}

/// A list: its items lie side by side in one block.
struct List<'a> {
    meter: &'a mut Meter,
    items: usize,
}

impl ser::SerializeSeq for List<'_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Done {
        self.items += 1;
        self.meter.item = true;
        value.serialize(&mut *self.meter)?;
        self.meter.item = false;
        Ok(())
    }

    fn end(self) -> Done {
        self.meter.heap += block(self.items * ITEM);
        Ok(())
    }
}

/// A map: its entries lie in nodes, each with room for eleven, and all but the only one at least half full.
struct Map<'a> {
    meter: &'a mut Meter,
    entries: usize,
    bytes: usize,
}

impl ser::SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Unknown;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Done {
        key.serialize(&mut *self.meter)
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Done {
        self.entries += 1;
        if self.entries == 1 {
            self.bytes = (KEY + ITEM) * NODE + NODE_OVERHEAD;
        } else if self.entries > NODE {
            self.bytes += (KEY + ITEM) * 3 / 2;
        }
        self.meter.item = true;
        value.serialize(&mut *self.meter)?;
        self.meter.item = false;
        Ok(())
    }

    fn end(self) -> Done {
        self.meter.heap += block(self.bytes);
        Ok(())
    }
}

/// Fields, which are part of what holds them.
struct Inline<'a>(&'a mut Meter);

macro_rules! fields {
    ($($kind:ident $name:ident),+) => {
        $(impl ser::$kind for Inline<'_> {
            type Ok = ();
            type Error = Unknown;

            fn $name<T: ?Sized + Serialize>(&mut self, value: &T) -> Done {
                value.serialize(&mut *self.0)
            }

            fn end(self) -> Done {
                Ok(())
            }
        })+
    };
}

fields!(SerializeTuple serialize_element, SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field);

macro_rules! named_fields {
    ($($kind:ident),+) => {
        $(impl ser::$kind for Inline<'_> {
            type Ok = ();
            type Error = Unknown;

            fn serialize_field<T: ?Sized + Serialize>(&mut self, _: &'static str, value: &T) -> Done {
                value.serialize(&mut *self.0)
            }

            fn end(self) -> Done {
                Ok(())
            }
        })+
    };
}

named_fields!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Secret};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_allocated_is_counted() {
        assert_eq!(size_of(&1_u64), 8);
        assert_eq!(size_of(&"x".repeat(1000)), 24 + 1008);
        assert_eq!(size_of(&vec![Value::Null; 10]), 24 + 336);
        assert_eq!(size_of(&BTreeMap::<String, String>::new()), 24);
        let many: BTreeMap<String, String> = (0..1000).map(|n: u32| (n.to_string(), String::new())).collect();
        // Two strings of 24 bytes, and a text of 32, in nodes that are two thirds full.
        assert!((80_000..130_000).contains(&size_of(&many)), "{}", size_of(&many));
    }

    #[test]
    fn types_of_kubernetes_count_with_all_their_empty_fields() {
        let containers = vec![Container::default(); 10];
        let spec = PodSpec { containers, ..PodSpec::default() };
        let pod = Pod { spec: Some(spec), ..Pod::default() };
        let least = size_of_val(&pod) + 10 * std::mem::size_of::<Container>();
        assert!((least..least + 1000).contains(&size_of(&pod)), "{} of {least}", size_of(&pod));
    }

    #[test]
    fn free_json_counts_for_many_times_its_text() {
        let value: Value = serde_json::from_str(&json!(vec![json!({"a": 1}); 1000]).to_string()).unwrap();
        assert!(size_of(&value) > 500_000, "{}", size_of(&value));
    }

    #[test]
    fn a_secret_counts_about_as_much_as_its_data() {
        let secret: Secret =
            serde_json::from_value(json!({"metadata": {"name": "s"}, "data": {"a": "eHh4".repeat(25_000)}}))
                .unwrap();
        assert!((75_000..110_000).contains(&size_of(&secret)), "{}", size_of(&secret));
    }
}
